import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { file, listing, prose, request } from "./phrases.ts";
import { Random } from "./random.ts";

export interface SessionOptions {
  readonly seed: number;
  readonly agentId: string;
  /** Questions of the user, each with the agent's work and answer. */
  readonly exchanges: number;
  /** Tool results with an image in them, which are lines of some hundred KB. */
  readonly images?: number;
}

/** One transcript as OpenClaw up to 2026.7 writes it: JSONL, one entry a line. */
export class Session {
  readonly agentId: string;
  readonly sessionId: string;
  /** Relative to the state directory. */
  readonly file: string;

  readonly #random: Random;
  #clock: number;
  #parentId: string | null = null;
  #lines: string[] = [];
  #images: number;

  constructor({ seed, agentId, exchanges, images = 0 }: SessionOptions) {
    this.#random = new Random(seed);
    this.#clock = Date.UTC(2026, 9, 1, 8) + seed * 3_600_000;
    this.#images = images;
    this.agentId = agentId;
    this.sessionId = this.#random.uuid();
    this.file = join("agents", agentId, "sessions", `${this.sessionId}.jsonl`);
    this.#begin();
    this.talk(exchanges);
  }

  /** Goes on with the conversation. What is new is written by the next `save`. */
  talk(exchanges: number): void {
    for (let i = 0; i < exchanges; i++) this.#exchange();
  }

  /**
   * Appends what was said since the last time.
   * @returns how many bytes that is
   */
  async save(stateDir: string): Promise<number> {
    const path = join(stateDir, this.file);
    const text = this.#lines.map((line) => `${line}\n`).join("");
    this.#lines = [];
    await mkdir(join(path, ".."), { recursive: true });
    await appendFile(path, text);
    return Buffer.byteLength(text);
  }

  #begin(): void {
    const timestamp = this.#tick();
    const header = {
      type: "session",
      version: 3,
      id: this.sessionId,
      timestamp,
      cwd: "/home/user",
    };
    this.#lines.push(JSON.stringify(header));
    this.#entry("model_change", { provider: "anthropic", modelId: "claude-opus-4-6" });
    this.#entry("thinking_level_change", { thinkingLevel: "low" });
  }

  #exchange(): void {
    const random = this.#random;
    this.#message({ role: "user", content: request(random) });
    for (let round = random.between(0, 3); round > 0; round--) this.#useTool();
    this.#assistant([{ type: "text", text: prose(random, random.between(1, 12)) }], "stop");
  }

  #useTool(): void {
    const random = this.#random;
    const id = `toolu_${random.hex(24)}`;
    const name = random.pick(["exec", "read", "write"]);
    const args = {
      exec: { command: `rg -n "${random.hex(5)}" . | head -${random.between(5, 90)}` },
      read: { path: file(random) },
      write: { path: file(random), content: prose(random, random.between(2, 30)) },
    }[name];
    const thinking = prose(random, random.between(1, 4));
    const thought = { type: "thinking", thinking, thinkingSignature: random.base64(600) };
    const call = { type: "toolCall", id, name, arguments: args };
    this.#assistant([thought, call], "toolUse");

    // Most results are short; the rare long one is why a shipper must not hold whole sessions.
    const lines = random.chance(0.05) ? random.between(400, 2000) : random.between(1, 30);
    const content: object[] = [{ type: "text", text: listing(random, lines) }];
    if (this.#images > 0) {
      this.#images -= 1;
      content.push({ type: "image", data: random.base64(400_000), mimeType: "image/png" });
    }
    const isError = random.chance(0.04);
    this.#message({ role: "toolResult", toolCallId: id, toolName: name, content, isError });
  }

  #assistant(content: readonly object[], stopReason: string): void {
    const output = Math.ceil(JSON.stringify(content).length / 4);
    const input = this.#random.between(4000, 60_000);
    const usage = { input, output, cacheRead: 0, cacheWrite: 0, totalTokens: input + output };
    const model = { api: "anthropic-messages", provider: "anthropic", model: "claude-opus-4-6" };
    this.#message({ role: "assistant", content, ...model, usage, stopReason });
  }

  #message(message: object): void {
    this.#entry("message", { message: { ...message, timestamp: this.#clock } });
  }

  #entry(type: string, rest: object): void {
    const id = this.#random.hex(8);
    const entry = { type, id, parentId: this.#parentId, timestamp: this.#tick(), ...rest };
    this.#lines.push(JSON.stringify(entry));
    this.#parentId = id;
  }

  #tick(): string {
    this.#clock += this.#random.between(200, 9000);
    return new Date(this.#clock).toISOString();
  }
}

/** The debug recording that a host keeps beside a session: everything, and nobody's business. */
export async function writeTrajectory(stateDir: string, session: Session): Promise<void> {
  const path = join(stateDir, session.file.replace(/\.jsonl$/, ".trajectory.jsonl"));
  const data = { systemPrompt: prose(new Random(1), 400) };
  const line = { traceSchema: "openclaw-trajectory", sessionId: session.sessionId, seq: 1, data };
  await writeFile(path, `${JSON.stringify(line)}\n`);
}
