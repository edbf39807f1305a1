import { closeSync, mkdirSync, openSync, utimesSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Random } from "./lib/random.ts";
import { base64, hex, listing, prose, uuid } from "./lib/text.ts";

/** Every transcript was last touched at this instant, so that hosts count as long done with it. */
export const TOUCHED = new Date("2026-01-02T03:04:05Z");

/** Share of tool results that carry an image, and its median size in bytes. */
const IMAGES = { share: 0.002, bytes: 60_000 };

const TOOLS = ["exec", "read", "edit", "write", "process", "web_fetch", "memory_search"];
const CWD = "/home/user/.openclaw/workspace";
const MODEL = { api: "anthropic-messages", provider: "anthropic", model: "claude-opus-4-6" };

export interface SessionOptions {
  /** Everything in the session follows from it. */
  readonly seed: number;
  /** About how large the session becomes; it ends with the turn that reaches it. */
  readonly bytes: number;
  /** Messages to put between the turns. */
  readonly longLines?: readonly LongLine[];
}

/** A message of about that many bytes. */
export interface LongLine {
  readonly bytes: number;
  /** What it says, again and again; like what tools give back when left out. */
  readonly repeat?: string;
}

export function sessionIdOf(seed: number): string {
  return uuid(new Random(seed));
}

/** The entries of one session as OpenClaw writes them, one JSON text each. */
export function* sessionEntries(options: SessionOptions): Generator<string> {
  const writer = new SessionWriter(options.seed);
  let bytes = 0;
  const longLines = [...(options.longLines ?? [])];
  for (const turn of writer.turns()) {
    for (const entry of turn) {
      bytes += Buffer.byteLength(entry) + 1;
      yield entry;
    }
    const long = longLines.shift();
    if (long !== undefined) yield writer.longMessage(long);
    if (bytes >= options.bytes && longLines.length === 0) return;
  }
}

/** Streams one session to a file; memory stays flat whatever its size. */
export function writeSession(path: string, options: SessionOptions): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, "w");
  let block = "";
  for (const entry of sessionEntries(options)) {
    block += `${entry}\n`;
    if (block.length < 1 << 20) continue;
    writeSync(file, block);
    block = "";
  }
  writeSync(file, block);
  closeSync(file);
  utimesSync(path, TOUCHED, TOUCHED);
}

class SessionWriter {
  readonly #random: Random;
  readonly #sessionId: string;
  #clock = Date.parse("2026-01-01T08:00:00Z");
  #parentId: string | null = null;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#sessionId = uuid(this.#random);
  }

  *turns(): Generator<Iterable<string>> {
    yield [
      JSON.stringify({
        type: "session",
        version: 3,
        id: this.#sessionId,
        timestamp: this.#now(),
        cwd: CWD,
      }),
      this.#entry("model_change", { provider: MODEL.provider, modelId: MODEL.model }),
      this.#entry("thinking_level_change", { thinkingLevel: "low" }),
    ];
    for (let turn = 1; ; turn++) {
      yield this.#turn();
      if (turn % 60 === 0) yield [this.#compaction()];
    }
  }

  /** A tool result of one text, half of it escapes and non-ASCII: the slowest to parse. */
  longMessage({ bytes, repeat }: LongLine): string {
    const random = this.#random;
    const part = repeat ?? `${prose(random, 2000)}${listing(random, 2000)}`;
    const text = part.repeat(
      Math.max(1, Math.floor(bytes / (Buffer.byteLength(JSON.stringify(part)) - 2))),
    );
    return this.#message({
      role: "toolResult",
      toolName: "read",
      content: [{ type: "text", text }],
    });
  }

  *#turn(): Generator<string> {
    const random = this.#random;
    yield this.#message({ role: "user", content: prose(random, random.size(220, 1.1)) });
    const rounds = random.chance(0.4) ? 0 : random.size(2, 0.8);
    for (let round = 0; round < rounds; round++) {
      const calls = Array.from({ length: random.chance(0.1) ? 3 : 1 }, () => this.#call());
      yield this.#assistant([...this.#thoughts(), ...calls], "toolUse");
      for (const { id, name } of calls) yield this.#result(id, name);
    }
    const answer = { type: "text", text: prose(random, random.size(700, 1.1)) };
    yield this.#assistant([...this.#thoughts(), answer], "stop");
  }

  #thoughts(): object[] {
    const random = this.#random;
    if (random.chance(0.5)) return [];
    return [
      {
        type: "thinking",
        thinking: prose(random, random.size(450, 0.9)),
        thinkingSignature: base64(random, random.size(600, 0.4)),
      },
    ];
  }

  #call(): { type: "toolCall"; id: string; name: string; arguments: object } {
    const random = this.#random;
    const name = TOOLS[Math.floor(random.next() * random.next() * TOOLS.length)] ?? "exec";
    const path = `src/${hex(random, 6)}.ts`;
    const content = { path, content: prose(random, random.size(1500, 1.2)) };
    const command = { command: `rg -n "${hex(random, 5)}" src | head -${random.below(90)}` };
    const input = name === "write" ? content : name === "exec" ? command : { path };
    return { type: "toolCall", id: `toolu_${hex(random, 24)}`, name, arguments: input };
  }

  #result(toolCallId: string, toolName: string): string {
    const random = this.#random;
    const text = listing(random, Math.min(200_000, random.size(1500, 1.4)));
    const content: object[] = [{ type: "text", text }];
    if (random.chance(IMAGES.share)) {
      const data = base64(random, Math.min(4_000_000, random.size(IMAGES.bytes, 0.7)));
      content.push({ type: "image", data, mimeType: "image/png" });
    }
    const details = { status: "completed", exitCode: 0, aggregated: text.slice(0, 4000), cwd: CWD };
    return this.#message({
      role: "toolResult",
      toolCallId,
      toolName,
      content,
      ...(toolName === "exec" ? { details } : {}),
      isError: random.chance(0.04),
    });
  }

  #assistant(content: object[], stopReason: string): string {
    const random = this.#random;
    const tokens = { input: random.below(60_000), output: random.below(2000) };
    const usage = { ...tokens, totalTokens: tokens.input + tokens.output, cost: random.next() };
    return this.#message({ role: "assistant", content, ...MODEL, usage, stopReason });
  }

  #compaction(): string {
    const summary = `## Goal\n${prose(this.#random, 3000)}`;
    return this.#entry("compaction", {
      summary,
      firstKeptEntryId: this.#parentId,
      fromHook: false,
    });
  }

  #message(message: object): string {
    return this.#entry("message", { message: { ...message, timestamp: this.#clock } });
  }

  #entry(type: string, rest: object): string {
    const id = hex(this.#random, 8);
    const parentId = this.#parentId;
    this.#parentId = id;
    return JSON.stringify({ type, id, parentId, timestamp: this.#now(), ...rest });
  }

  #now(): string {
    this.#clock += 200 + this.#random.below(9000);
    return new Date(this.#clock).toISOString();
  }
}
