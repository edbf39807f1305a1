import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { StoreError } from "../../shared/problem.ts";
import type { Page } from "./source.ts";
import { unpack } from "./unpack.ts";

/** One event of a session: its sequence number and its JSON text. */
export interface Event {
  readonly seq: number;
  readonly text: Buffer;
}

/** A row of `transcript_events`: the text as it is, or compressed, never both. */
export interface EventRow {
  readonly seq: number;
  /** Length of the JSON text. */
  readonly bytes: number;
  readonly json: Uint8Array | null;
  readonly zstd: Uint8Array | null;
}

/** Longer events are distinguished by their length alone. */
export const DIGESTED_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** @throws {StoreError} `EVENT_ENCODING` or `EVENT_DAMAGED`, naming the session and the event. */
export async function decodeEvent(sessionId: string, row: EventRow): Promise<Event> {
  const { seq } = row;
  if ((row.json === null) === (row.zstd === null)) throw unknownEncoding(sessionId, seq);
  const text =
    row.json === null
      ? await textOf(sessionId, row)
      : Buffer.from(row.json.buffer, row.json.byteOffset, row.json.byteLength);
  if (text.length !== row.bytes || !isUtf8(text) || !looksLikeJson(text)) {
    throw notJson(sessionId, seq);
  }
  return { seq, text };
}

export function pageOf(events: readonly Event[]): Page {
  return { lines: linesOf(events), count: events.length, last: events.at(-1)?.seq ?? -1 };
}

/** Short digest of one event, the same whether it is stored as text, compressed or in an archive. */
export function digestOf(text: Buffer | null, bytes: number): string {
  if (text === null || bytes > DIGESTED_BYTES) return `~${bytes}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

export function unknownEncoding(sessionId: string, seq: number): StoreError {
  return new StoreError(
    "EVENT_ENCODING",
    `event ${seq} of session ${sessionId} is stored in a form this version of influxion does not know; the session waits until influxion is updated`,
  );
}

export function badNumbers(sessionId: string): StoreError {
  return new StoreError(
    "EVENT_NUMBERS",
    `session ${sessionId} has events whose numbers are not understood; run "openclaw doctor", or restore the agent's database from a backup. The session waits until then`,
  );
}

export function damaged(
  sessionId: string,
  seq: number,
  reason: string,
  cause?: unknown,
): StoreError {
  return new StoreError(
    "EVENT_DAMAGED",
    `event ${seq} of session ${sessionId} is damaged: ${reason}; run "openclaw doctor", or restore the agent's database from a backup. The session waits until then`,
    { cause },
  );
}

export function notJson(sessionId: string, seq: number): StoreError {
  return damaged(sessionId, seq, "its content is not JSON text of the recorded length");
}

async function textOf(sessionId: string, { seq, bytes, zstd }: EventRow): Promise<Buffer> {
  if (zstd === null || bytes < 1)
    throw damaged(sessionId, seq, "its recorded length is impossible");
  try {
    return await unpack(zstd, bytes);
  } catch (error) {
    throw damaged(sessionId, seq, "its compressed content cannot be unpacked", error);
  }
}

/**
 * By its edges, since whoever sends it parses it. Parsed here is what is no object,
 * and what is about to be put on one line: a line break within a string is damage,
 * which would not be seen afterwards.
 */
function looksLikeJson(text: Buffer): boolean {
  const isObject = text[0] === OPEN_BRACE && text[text.length - 1] === CLOSE_BRACE;
  if (isObject && !hasLineBreak(text)) return true;
  try {
    JSON.parse(text.toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

function hasLineBreak(text: Buffer): boolean {
  return text.includes(NEWLINE) || text.includes(RETURN);
}

/** Newlines between JSON tokens become spaces, so that no byte count changes. */
function linesOf(events: readonly Event[]): Buffer {
  const bytes = events.reduce((sum, { text }) => sum + text.length + 1, 0);
  const lines = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { text } of events) {
    text.copy(lines, at);
    const end = at + text.length;
    if (hasLineBreak(text)) {
      const line = lines.subarray(at, end);
      for (const [index, byte] of line.entries()) {
        if (byte === NEWLINE || byte === RETURN) line[index] = SPACE;
      }
    }
    lines[end] = NEWLINE;
    at = end + 1;
  }
  return lines;
}
