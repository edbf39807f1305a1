import * as v from "valibot";
import { MAX_LINE_BYTES } from "../../protocol/limits.ts";
import { parseJson } from "../../shared/json.ts";

const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

/**
 * A line of an archive holds an event as a JSON string, in which every quote and
 * backslash is escaped: at most twice its length. A longer line is an event that is
 * not sent anyway, of which only the length is needed.
 */
const LINE_BYTES = 2 * MAX_LINE_BYTES + 1024;
const EDGE_BYTES = 256;

export interface ColdEvent {
  readonly seq: number;
  readonly bytes: number;
  /** Null when it is too long to be sent. */
  readonly text: Buffer | null;
}

const RecordSchema = v.variant("kind", [
  v.object({
    kind: v.literal("event"),
    row: v.object({ seq: v.pipe(v.number(), v.safeInteger()), event_json: v.string() }),
  }),
  v.object({
    kind: v.literal("header"),
    version: v.literal(1),
    sessionId: v.string(),
    generation: v.string(),
  }),
  // Derived from the events; the host restores its indexes from them.
  v.object({ kind: v.picklist(["identity", "active", "index", "fts"]) }),
]);

export interface ColdHeader {
  readonly sessionId: string;
  readonly generation: string;
}

/**
 * The events in the unpacked content of a cold archive, in memory bounded by two
 * lines.
 *
 * @throws {Error} with a message that says what in the archive is not understood.
 */
export async function* coldEvents(
  chunks: AsyncIterable<Buffer>,
  header: ColdHeader,
): AsyncGenerator<ColdEvent> {
  let first = true;
  for await (const line of linesOf(chunks)) {
    if ("head" in line) {
      yield longEvent(line);
      continue;
    }
    const record = v.safeParse(RecordSchema, parseJson(line.text));
    if (!record.success) throw new Error("a line of it is not understood");
    if (first !== (record.output.kind === "header")) throw new Error("its header is misplaced");
    first = false;
    if (record.output.kind === "header") {
      const { sessionId, generation } = record.output;
      if (sessionId !== header.sessionId || generation !== header.generation) {
        throw new Error("it belongs to another session");
      }
    } else if (record.output.kind === "event") {
      const { seq, event_json } = record.output.row;
      const text = Buffer.from(event_json, "utf8");
      yield { seq, bytes: text.length, text: text.length < MAX_LINE_BYTES ? text : null };
    }
  }
}

/** A line above the bound: its edges, its length, and how many characters in it are escaped. */
interface LongLine {
  readonly head: string;
  readonly tail: string;
  readonly bytes: number;
  readonly escapes: number;
}

async function* linesOf(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly text: string } | LongLine> {
  let line = new Line();
  for await (const chunk of chunks) {
    for (let from = 0; ; ) {
      const newline = chunk.indexOf(NEWLINE, from);
      line.add(chunk.subarray(from, newline === -1 ? chunk.length : newline));
      if (newline === -1) break;
      yield line.value();
      line = new Line();
      from = newline + 1;
    }
  }
  if (line.bytes > 0) throw new Error("its last line is cut off");
}

class Line {
  bytes = 0;
  #pieces: Buffer[] = [];
  #head = "";
  #tail = Buffer.alloc(0);
  #escapes = 0;
  #escaped = false;

  add(piece: Buffer): void {
    const long = this.bytes > LINE_BYTES;
    this.bytes += piece.length;
    if (!long) this.#pieces.push(piece);
    if (this.bytes <= LINE_BYTES) return;
    for (const part of long ? [piece] : this.#pieces) this.#measure(part);
    this.#pieces = [];
  }

  value(): { text: string } | LongLine {
    if (this.bytes <= LINE_BYTES) return { text: Buffer.concat(this.#pieces).toString("utf8") };
    return {
      head: this.#head,
      tail: this.#tail.toString("latin1"),
      bytes: this.bytes,
      escapes: this.#escapes,
    };
  }

  #measure(piece: Buffer): void {
    if (this.#head.length < EDGE_BYTES) {
      this.#head += piece.toString("latin1", 0, EDGE_BYTES - this.#head.length);
    }
    this.#tail = Buffer.from(
      Buffer.concat([this.#tail, piece.subarray(-EDGE_BYTES)]).subarray(-EDGE_BYTES),
    );
    let at = 0;
    if (this.#escaped && piece.length > 0) {
      this.#escaped = false;
      at = 1;
    }
    for (at = piece.indexOf(BACKSLASH, at); at !== -1; at = piece.indexOf(BACKSLASH, at + 2)) {
      this.#escapes += 1;
      this.#escaped = at === piece.length - 1;
    }
  }
}

/**
 * Length of the event in a line that is too long to parse. The host writes the
 * fields in this order, and JSON text has no characters that need more than the
 * two bytes of a short escape.
 */
function longEvent({ head, tail, bytes, escapes }: LongLine): ColdEvent {
  const start = /^\{"kind":"event","row":\{"seq":(\d+),"event_json":"/.exec(head);
  const end = /","created_at":-?\d+\}\}$/.exec(tail);
  if (start === null || end === null) throw new Error("a very long line of it is not understood");
  return {
    seq: Number(start[1]),
    bytes: bytes - start[0].length - end[0].length - escapes,
    text: null,
  };
}
