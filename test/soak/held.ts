import { createHash } from "node:crypto";
import type { FaultServer, RecordedRequest } from "../support/fault-server.ts";
import { digestOf } from "./history.ts";

/** What the server holds of one session, generation by generation: digests of payloads by line. */
export type Generations = string[][];

interface Part {
  readonly session: string;
  readonly firstLine: number;
  readonly payloads: readonly string[];
}

/**
 * Keeps the books of a server: which key came with which bytes, and what it holds.
 * The wire names no generation, so a part that begins at line 0 again begins a new one.
 */
export class Held {
  readonly sessions = new Map<string, Generations>();
  /** What must never happen, in words. */
  readonly violations: string[] = [];
  parts = 0;
  repeats = 0;
  lines = 0;
  omitted = 0;
  readonly #server: FaultServer;
  readonly #bytes = new Map<string, string>();
  readonly #stored = new Set<string>();
  #seen = 0;

  constructor(server: FaultServer) {
    this.#server = server;
  }

  /** Takes over what has arrived since the last call, and lets the server forget it. */
  collect(onRequest: (session: string, request: RecordedRequest) => void): void {
    const stored = this.#server.stored as Map<string, readonly string[]>;
    for (const [key, lines] of stored) {
      if (lines.length > 0 && !this.#stored.has(key)) this.#store(key, lines);
      stored.set(key, []);
    }
    const { requests } = this.#server;
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
  #compare({ idempotencyKey: key }: RecordedRequest, lines: readonly string[]): void {
    const digest = createHash("sha1").update(lines.join("\n")).digest("base64");
    const before = this.#bytes.get(key);
    if (key === "") this.violations.push("a part came without a key");
    if (before !== undefined) this.repeats++;
    if (before !== undefined && before !== digest) {
      this.violations.push(`${sessionOf(lines[0] ?? "")}: a key was used with different bytes`);
    }
    this.#bytes.set(key, digest);
  }

  #store(key: string, lines: readonly string[]): void {
    this.#stored.add(key);
    const part = this.#parse(lines);
    if (part === null) return;
    const { session, firstLine, payloads } = part;
    let generations = this.sessions.get(session);
    if (generations === undefined) {
      generations = [];
      this.sessions.set(session, generations);
    }
    let newest = generations.at(-1);
    if (newest === undefined || (firstLine === 0 && newest.length > 0)) {
      newest = [];
      generations.push(newest);
    }
    if (newest.length !== firstLine) {
      this.violations.push(
        `${session}: a part begins at line ${firstLine}, but ${newest.length} lines are held in generation ${generations.length - 1}`,
      );
      return;
    }
    newest.push(...payloads.map(digestOf));
    this.parts++;
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
