import { once } from "node:events";
import { finished } from "node:stream/promises";
import type { ClientBase } from "pg";
import type { Entry } from "../backend.ts";
import type { Driver } from "./driver.ts";

/** Where lines go: one generation of one session. */
export interface Target {
  readonly sessionId: number;
  readonly generation: number;
}

const COPY =
  "COPY influxion.line (session_id, generation, line_index, payload) FROM STDIN (FORMAT binary)";

/**
 * Streams lines into the table by COPY, as fast as the database takes them. In the binary format
 * nothing is escaped: https://www.postgresql.org/docs/current/sql-copy.html
 */
export class LineCopy {
  readonly #stream: ReturnType<Driver["copyFrom"]>;
  readonly #target: Target;
  #failure: Error | undefined;
  #lines = 0;

  constructor(client: ClientBase, copyFrom: Driver["copyFrom"], target: Target) {
    this.#target = target;
    // It lasts as long as a client sends; what the database takes of it is timed here.
    this.#stream = client.query(Object.assign(copyFrom(COPY), { query_timeout: FOREVER_MS }));
    this.#stream.on("error", (error: Error) => {
      this.#failure = error;
    });
    this.#stream.write(FILE_HEADER);
  }

  /** Resolves when there is room for more. @throws the database's error, or the connection's */
  async write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lines += entries.length;
    const rows = Buffer.concat(entries.map((entry) => rowOf(this.#target, entry)));
    if (!this.#stream.write(rows))
      await inTime((signal) => once(this.#stream, "drain", { signal }));
  }

  /** Resolves when the database has all of them. @throws the database's error, or the connection's */
  async end(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#stream.end(FILE_TRAILER);
    await inTime((signal) => finished(this.#stream, { signal }));
    if (this.#stream.rowCount !== this.#lines) {
      throw new Error(`${this.#stream.rowCount} of ${this.#lines} lines were copied`);
    }
  }
}

/** As long as a timer can be. */
const FOREVER_MS = 2 ** 31 - 1;
/** How long the database may take nothing. */
const STALLED_MS = 60_000;

/** @throws the abort's reason when it takes too long */
async function inTime(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), STALLED_MS);
  try {
    await work(stalled.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Signature, flags and the length of an extension, which there is not. */
const FILE_HEADER = Buffer.concat([
  Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"),
  Buffer.alloc(4 + 4),
]);
const FILE_TRAILER = Buffer.from([0xff, 0xff]);

const COLUMNS = 4;
const INTEGER_BYTES = 8;
/** All of a row but the payload's bytes: a count, three integers with their lengths, one length. */
const ROW_HEADER_BYTES = 2 + 3 * (4 + INTEGER_BYTES) + 4;

function rowOf({ sessionId, generation }: Target, { lineIndex, payload }: Entry): Buffer {
  const payloadBytes = Buffer.byteLength(payload);
  const row = Buffer.allocUnsafe(ROW_HEADER_BYTES + payloadBytes);
  let at = row.writeInt16BE(COLUMNS, 0);
  for (const value of [sessionId, generation, lineIndex]) {
    at = row.writeInt32BE(INTEGER_BYTES, at);
    at = row.writeBigInt64BE(BigInt(value), at);
  }
  at = row.writeInt32BE(payloadBytes, at);
  row.write(payload, at);
  return row;
}
