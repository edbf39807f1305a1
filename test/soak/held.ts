import { createHash } from "node:crypto";
import { FIRST_LINE_HEADER, GENERATION_HEADER } from "../../src/protocol/wire.ts";
import type { FaultServer, RecordedRequest } from "../support/fault-server.ts";
import { digestOf } from "./history.ts";

/** What the server holds of one session, generation by generation: digests of payloads by line. */
export type Generations = string[][];

interface Part {
  readonly session: string;
  readonly firstLine: number;
  readonly payloads: readonly string[];
}

/** One line of the log that is kept of a run that was violated. */
export interface PartLog {
  readonly at: string;
  readonly key: string;
  readonly session: string;
  readonly generation: number;
  readonly firstLine: number;
  readonly lines: number;
}

/**
 * Keeps the books of a server: which key came with which bytes, and what it holds. A
 * part names its generation, so one that arrives late is kept where it belongs.
 */
export class Held {
  /** What must never happen, in words. */
  readonly violations: string[] = [];
  /** Every part that was taken, in the order of its arrival. */
  readonly log: PartLog[] = [];
  repeats = 0;
  lines = 0;
  omitted = 0;
  readonly #server: FaultServer;
  /** By session and generation. */
  readonly #books = new Map<string, Map<number, string[]>>();
  readonly #generations = new Map<string, number>();
  readonly #bytes = new Map<string, string>();
  readonly #stored = new Set<string>();
  #seen = 0;

  constructor(server: FaultServer) {
    this.#server = server;
  }

  /** Oldest generation first. */
  get sessions(): ReadonlyMap<string, Generations> {
    const inOrder = (book: Map<number, string[]>): Generations =>
      [...book].sort(([a], [b]) => a - b).map(([, lines]) => lines);
    return new Map([...this.#books].map(([session, book]) => [session, inOrder(book)]));
  }

  /** Takes over what has arrived since the last call, and lets the server forget it. */
  collect(onRequest: (session: string, request: RecordedRequest) => void): void {
    const { requests } = this.#server;
    for (const { idempotencyKey, headers } of requests.slice(this.#seen)) {
      this.#generations.set(idempotencyKey, Number(headers[GENERATION_HEADER]));
    }
    const stored = this.#server.stored as Map<string, readonly string[]>;
    for (const [key, lines] of stored) {
      if (lines.length > 0 && !this.#stored.has(key)) this.#store(key, lines);
      stored.set(key, []);
    }
    for (; this.#seen < requests.length; this.#seen++) {
      const request = requests[this.#seen];
      if (request?.lines === undefined) continue;
      this.#compare(request, request.lines);
      const [first] = request.lines;
      if (first !== undefined) onRequest(sessionOf(first), request);
      delete request.lines;
    }
  }

  /** Every attempt that arrived whole under one key had the same bytes. */
  #compare({ idempotencyKey: key, headers }: RecordedRequest, lines: readonly string[]): void {
    const digest = createHash("sha1").update(lines.join("\n")).digest("base64");
    const before = this.#bytes.get(key);
    const session = sessionOf(lines[0] ?? "");
    if (key === "") this.violations.push("a part came without a key");
    if (before !== undefined) this.repeats++;
    if (before !== undefined && before !== digest) {
      this.violations.push(`${session}: a key was used with different bytes`);
    }
    if (this.#generations.get(key) !== Number(headers[GENERATION_HEADER])) {
      this.violations.push(`${session}: a key was used for two generations`);
    }
    const { lineIndex } = JSON.parse(lines[0] ?? "{}") as { lineIndex?: number };
    if (lineIndex !== Number(headers[FIRST_LINE_HEADER])) {
      this.violations.push(`${session}: the header names another first line than the body`);
    }
    this.#bytes.set(key, digest);
  }

  #store(key: string, lines: readonly string[]): void {
    this.#stored.add(key);
    const part = this.#parse(lines);
    if (part === null) return;
    const { session, firstLine, payloads } = part;
    const generation = this.#generations.get(key) ?? Number.NaN;
    const at = new Date().toISOString();
    this.log.push({ at, key, session, generation, firstLine, lines: payloads.length });
    const book = this.#books.get(session) ?? new Map<number, string[]>();
    this.#books.set(session, book);
    const held = book.get(generation) ?? [];
    if (held.length !== firstLine) {
      this.violations.push(
        `${session}: a part begins at line ${firstLine}, but ${held.length} lines are held in generation ${generation}`,
      );
      return;
    }
    book.set(generation, held);
    held.push(...payloads.map(digestOf));
    this.lines += payloads.length;
    this.omitted += payloads.filter((payload) => payload.startsWith('{"omitted":')).length;
  }

  #parse(lines: readonly string[]): Part | null {
    const session = sessionOf(lines[0] ?? "");
    const payloads: string[] = [];
    let firstLine = 0;
    for (const [index, line] of lines.entries()) {
      const { lineIndex } = JSON.parse(line) as { lineIndex: number };
      if (index === 0) firstLine = lineIndex;
      if (sessionOf(line) !== session || lineIndex !== firstLine + index) {
        this.violations.push(`${session}: the lines of a part do not follow each other`);
        return null;
      }
      payloads.push(payloadText(line));
    }
    return { session, firstLine, payloads };
  }
}

function sessionOf(line: string): string {
  return /"agentId":"([^"]*)".*?"sessionId":"([^"]*)"/.exec(line)?.slice(1, 3).join("/") ?? "?";
}

/** The payload's own bytes: parsing and printing it again could hide a change. */
function payloadText(line: string): string {
  const mark = ',"payload":';
  return line.slice(line.indexOf(mark) + mark.length, -1);
}
