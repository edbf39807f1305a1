import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { GENERATION_HEADER } from "../../src/protocol/wire.ts";
import { digestOf } from "../soak/history.ts";

/** How one request is treated once its whole body is here. */
export type Treatment =
  | { readonly kind: "ok" }
  | { readonly kind: "unavailable" }
  /** Takes the part; the client never learns. */
  | { readonly kind: "drop" }
  /** Parts above this many bytes of body are too large. */
  | { readonly kind: "limit"; readonly bytes: number }
  /** Its sender is dead: it never came. */
  | { readonly kind: "never" };

/**
 * An ingest API in memory that is as strict as the contract allows: a part must
 * continue where the session ends or begin at line 0, a key stands for one body, and
 * a generation is newer than those before it.
 */
export class Ingest implements AsyncDisposable {
  /** Digests of payloads by session and generation. */
  readonly sessions = new Map<string, string[][]>();
  readonly violations: string[] = [];
  /** Parts that were taken for the first time. */
  parts = 0;
  requests = 0;
  /** Receipts name the newest generation. */
  tellsNewest = true;
  /** Called with every request whose body is here, before it is treated. */
  treat: (request: number) => Treatment = () => ({ kind: "ok" });
  readonly #bodies = new Map<string, string>();
  readonly #taken = new Set<string>();
  /** The generations of each session as their headers name them, in the order of arrival. */
  readonly #numbers = new Map<string, number[]>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => request.socket.destroy());
  });

  static async start(): Promise<Ingest> {
    const ingest = new Ingest();
    await new Promise<void>((done) => ingest.#server.listen(0, "127.0.0.1", done));
    return ingest;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Forgets everything. */
  reset(): void {
    this.sessions.clear();
    this.violations.length = 0;
    this.#bodies.clear();
    this.#taken.clear();
    this.#numbers.clear();
    this.parts = 0;
    this.requests = 0;
    this.treat = () => ({ kind: "ok" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = gunzipSync(Buffer.concat(chunks)).toString("utf8");
    const lines = text.split("\n").slice(0, -1);
    const key = String(request.headers["idempotency-key"]);
    const treatment = this.treat(this.requests++);
    if (treatment.kind === "never") return void request.socket.destroy();
    const generation = Number(request.headers[GENERATION_HEADER]);
    const status = this.#check(key, text, lines);
    if (status !== 200) return answer(response, status, {});
    if (treatment.kind === "unavailable") return answer(response, 503, {});
    if (treatment.kind === "limit" && text.length > treatment.bytes && !this.#taken.has(key)) {
      return answer(response, 413, {});
    }
    const taken = this.#take(key, lines, generation);
    if (treatment.kind === "drop") request.socket.destroy();
    else if (!taken) answer(response, 409, {});
    else {
      const receipt = { accepted: lines.length, rejected: 0, batchId: key };
      const newestGeneration = Math.max(...(this.#numbers.get(sessionOf(lines)) ?? []));
      answer(response, 200, this.tellsNewest ? { ...receipt, newestGeneration } : receipt);
    }
  }

  #check(key: string, text: string, lines: readonly string[]): number {
    const digest = createHash("sha1").update(text).digest("hex");
    const before = this.#bodies.get(key);
    this.#bodies.set(key, before ?? digest);
    if (before !== undefined && before !== digest) {
      this.violations.push("a key was used with different bytes");
      return 422;
    }
    if (lines.length > 0) return 200;
    this.violations.push("a part without lines was sent");
    return 400;
  }

  /** False when the part does not continue what is held. */
  #take(key: string, lines: readonly string[], generation: number): boolean {
    if (this.#taken.has(key)) return true;
    const { lineIndex } = JSON.parse(lines[0] ?? "") as Envelope;
    const session = sessionOf(lines);
    const generations = this.sessions.get(session) ?? [];
    this.sessions.set(session, generations);
    if (lineIndex === 0) generations.push([]);
    const numbers = this.#numbers.get(session) ?? [];
    this.#numbers.set(session, numbers);
    if (lineIndex === 0) numbers.push(generation);
    // A server that knows the header must come to the same as one that goes by the order of arrival.
    if (numbers.at(-1) !== generation || Math.max(...numbers) !== generation) {
      this.violations.push(`generation ${generation} came behind ${numbers.join()}`);
    }
    const newest = generations.at(-1) ?? [];
    if (newest.length !== lineIndex) {
      this.violations.push(`line ${lineIndex} came when ${newest.length} lines were held`);
      return false;
    }
    newest.push(...lines.map((line) => digestOf(line.slice(line.indexOf(MARK) + MARK.length, -1))));
    this.#taken.add(key);
    this.parts++;
    return true;
  }
}

interface Envelope {
  readonly agentId: string;
  readonly sessionId: string;
  readonly lineIndex: number;
}

function sessionOf([line = ""]: readonly string[]): string {
  const { agentId, sessionId } = JSON.parse(line) as Envelope;
  return `${agentId}/${sessionId}`;
}

const MARK = ',"payload":';

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
