import { setImmediate } from "node:timers/promises";
import { MAX_LINE_BYTES } from "../../protocol/limits.ts";
import { SourceChangedError } from "../../shared/problem.ts";
import type { Connection } from "./connection.ts";
import {
  badNumbers,
  DIGESTED_BYTES,
  damaged,
  decodeEvent,
  digestOf,
  type Event,
  type EventRow,
  unknownEncoding,
} from "./event.ts";
import type { Shape } from "./shape.ts";
import {
  type EventSize,
  type EventSource,
  PAGE_BYTES,
  PAGE_ROWS,
  type State,
  type Totals,
} from "./source.ts";
import { changedAtSql, countSql } from "./values.ts";

/** Rows one statement looks at when it reads lengths only, about 1 ms. */
const SIZE_ROWS = 1000;

/** Event-loop time unpacking and checking may take before others get their turn, in ms. */
const SLICE_MS = 5;

/**
 * Length of an event's text; NULL when it is stored in a form that is not known. All of
 * it comes from the row's header: neither function loads the text, which for a long
 * event is spread over many pages.
 */
export function sizeSql(shape: Shape): string {
  const packed = shape.zstd
    ? ` WHEN 'null' THEN CASE typeof(event_zstd) WHEN 'blob' THEN ${countSql("event_utf8_bytes")} END`
    : "";
  return `CASE typeof(event_json) WHEN 'text' THEN octet_length(event_json)${packed} END`;
}

/** What is asked again and again; put together for each session, it would cost as much as the answers. */
interface LiveSql {
  readonly totals: string;
  readonly sizes: string;
  readonly stored: string;
  readonly rows: string;
}

const SQL = new WeakMap<Shape, LiveSql>();

function sqlFor(shape: Shape): LiveSql {
  const sql = SQL.get(shape) ?? liveSql(shape);
  SQL.set(shape, sql);
  return sql;
}

function liveSql(shape: Shape): LiveSql {
  const size = sizeSql(shape);
  const [zstd, stored] = shape.zstd ? ["event_zstd", "octet_length(event_zstd)"] : ["NULL", "NULL"];
  return {
    totals: `SELECT count(*) AS count, sum(bytes) AS bytes, max(seq) AS last
       FROM (SELECT seq, ${size} AS bytes FROM transcript_events
             WHERE session_id = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ${SIZE_ROWS})`,
    sizes: `SELECT seq, ${size} AS bytes FROM transcript_events
       WHERE session_id = ? AND seq >= ? ORDER BY seq LIMIT ${SIZE_ROWS}`,
    stored: `SELECT seq, ${size} AS bytes, ${stored} AS stored FROM transcript_events
       WHERE session_id = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ${PAGE_ROWS}`,
    // As a blob the text comes as the bytes it is, without a detour over a JavaScript string.
    rows: `SELECT seq, ${size} AS bytes, CAST(event_json AS BLOB) AS json, ${zstd} AS zstd
       FROM transcript_events WHERE session_id = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
  };
}

/** The length of an event's text, and of what is stored of it compressed. */
type StoredSize = EventSize & { readonly stored: number | null };

/** Adds up lengths in short reads, so that a long transcript does not hold a read open. */
export async function totalsOf(
  connection: Connection,
  shape: Shape,
  sessionId: string,
  start: number,
  end: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<Totals> {
  const totals = { count: 0, bytes: 0 };
  for (let from = start; ; ) {
    for (const signal of signals) signal?.throwIfAborted();
    const page = connection.get<{ count: number; bytes: number | null; last: number | null }>(
      sqlFor(shape).totals,
      sessionId,
      from,
      end,
    );
    totals.count += page?.count ?? 0;
    totals.bytes += page?.bytes ?? 0;
    if (page === undefined || page.last === null || page.count < SIZE_ROWS) return totals;
    from = page.last + 1;
    await setImmediate();
  }
}

const CHANGED_AT_SQL = `SELECT ${changedAtSql("w")} AS changedAt FROM session_windows AS w WHERE session_id = ?`;

/** The rows of a session that is in the database itself. */
export class LiveSource implements EventSource {
  readonly #connection: Connection;
  readonly #shape: Shape;
  readonly #sql: LiveSql;
  readonly #sessionId: string;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends whatever is being read, also later */
  constructor(connection: Connection, shape: Shape, sessionId: string, signal?: AbortSignal) {
    this.#connection = connection;
    this.#shape = shape;
    this.#sql = sqlFor(shape);
    this.#sessionId = sessionId;
    this.#signal = signal;
  }

  async state(): Promise<State> {
    this.#connection.assertInPlace();
    const row = this.#connection.get<{ changedAt: number }>(CHANGED_AT_SQL, this.#sessionId);
    if ((await this.seqAt(0)) === null) throw this.#changed();
    return { generation: this.#generation(), changedAt: row?.changedAt ?? 0 };
  }

  totals(start: number, end: number, signal?: AbortSignal): Promise<Totals> {
    const signals = [this.#signal, signal];
    return totalsOf(this.#connection, this.#shape, this.#sessionId, start, end, ...signals);
  }

  async *sizes(start: number, signal?: AbortSignal): AsyncGenerator<readonly EventSize[]> {
    for (let from = start; ; ) {
      this.#heed(signal);
      const page = this.#connection.all<EventSize>(this.#sql.sizes, this.#sessionId, from);
      const last = page.at(-1);
      if (last === undefined) return;
      this.#assertNumbered(page);
      yield page;
      from = last.seq + 1;
      await setImmediate();
    }
  }

  async *events(
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Event[]> {
    let generation: string | null | undefined;
    for (let from = start; from < end; ) {
      this.#heed(signal);
      this.#connection.assertInPlace();
      const page = this.#connection.snapshot(() => ({
        generation: this.#generation(),
        rows: this.#rows(from, this.#sizes(from, end)),
      }));
      if (generation === undefined) generation = page.generation;
      const last = page.rows.at(-1);
      if (last === undefined || page.generation !== generation) throw this.#changed();
      const events: Event[] = [];
      let slice = performance.now();
      for (const row of page.rows) {
        if (performance.now() - slice > SLICE_MS) {
          await setImmediate();
          slice = performance.now();
        }
        events.push(await decodeEvent(this.#sessionId, row));
      }
      yield events;
      from = last.seq + 1;
      await setImmediate();
    }
  }

  async digest(seq: number): Promise<string | null> {
    const size = this.#sizes(seq, seq + 1)[0];
    if (size === undefined) return null;
    if (size.bytes === null) throw unknownEncoding(this.#sessionId, seq);
    return digestOf(size.bytes <= DIGESTED_BYTES ? await this.#textOf(size) : null, size.bytes);
  }

  async text(seq: number): Promise<Buffer | null> {
    const size = this.#sizes(seq, seq + 1)[0];
    return size === undefined ? null : this.#textOf(size);
  }

  async #textOf(size: StoredSize): Promise<Buffer | null> {
    if ((size.bytes ?? 0) >= MAX_LINE_BYTES) return null;
    const row = this.#rows(size.seq, [size])[0];
    return row === undefined ? null : (await decodeEvent(this.#sessionId, row)).text;
  }

  seqAt(index: number): Promise<number | null> {
    const row = this.#connection.get<{ seq: number }>(
      "SELECT seq FROM transcript_events WHERE session_id = ? ORDER BY seq LIMIT 1 OFFSET ?",
      this.#sessionId,
      index,
    );
    return Promise.resolve(row?.seq ?? null);
  }

  /** As many of the rows with these lengths, from `start` on, as make one page: nothing is loaded before its length is known. */
  #rows(start: number, sizes: readonly StoredSize[]): EventRow[] {
    let last = -1;
    let bytes = 0;
    for (const size of sizes) {
      if (size.bytes === null) throw unknownEncoding(this.#sessionId, size.seq);
      if (Math.max(size.bytes, size.stored ?? 0) >= MAX_LINE_BYTES) {
        throw damaged(this.#sessionId, size.seq, "it is longer than any line that is sent");
      }
      bytes += size.bytes;
      if (bytes > PAGE_BYTES && last !== -1) break;
      last = size.seq;
    }
    if (last === -1) return [];
    return this.#connection.all<EventRow>(this.#sql.rows, this.#sessionId, start, last);
  }

  #sizes(start: number, end: number): StoredSize[] {
    const page = this.#connection.all<StoredSize>(this.#sql.stored, this.#sessionId, start, end);
    this.#assertNumbered(page);
    return page;
  }

  /** A fraction between two numbers is the one wrong number that is not seen when a session is opened. */
  #assertNumbered(page: readonly EventSize[]): void {
    if (!page.every(({ seq }) => Number.isSafeInteger(seq))) throw badNumbers(this.#sessionId);
  }

  #generation(): string | null {
    if (!this.#shape.watermarks) return null;
    const row = this.#connection.get<{ generation: string | null }>(
      "SELECT CAST(generation AS TEXT) AS generation FROM transcript_rewrite_watermarks WHERE session_id = ?",
      this.#sessionId,
    );
    return row?.generation ?? null;
  }

  #heed(signal?: AbortSignal): void {
    this.#signal?.throwIfAborted();
    signal?.throwIfAborted();
  }

  #changed(): SourceChangedError {
    return new SourceChangedError(
      `session ${this.#sessionId} was rewritten, moved or deleted while it was read`,
    );
  }
}
