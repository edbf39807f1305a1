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
  pageOf,
  unknownEncoding,
} from "./event.ts";
import { type JoinedRows, joinedLines, type RowSize } from "./joined.ts";
import type { Shape } from "./shape.ts";
import {
  type EventSize,
  type EventSource,
  PAGE_BYTES,
  PAGE_ROWS,
  type Page,
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

type SizeRow = EventSize & Pick<RowSize, "packed" | "stored">;

/** What is asked again and again; put together for each session, it would cost as much as the answers. */
interface LiveSql {
  readonly totals: string;
  readonly sizes: string;
  readonly stored: string;
  readonly joined: string;
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
  const ifZstd = (sql: string): string => (shape.zstd ? sql : "NULL");
  return {
    totals: `SELECT count(*) AS count, sum(bytes) AS bytes, max(seq) AS last
       FROM (SELECT seq, ${size} AS bytes FROM transcript_events
             WHERE session_id = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ${SIZE_ROWS})`,
    sizes: `SELECT seq, ${size} AS bytes FROM transcript_events
       WHERE session_id = ? AND seq >= ? ORDER BY seq LIMIT ${SIZE_ROWS}`,
    stored: `SELECT seq, ${size} AS bytes, typeof(event_json) = 'null' AS packed,
              ${ifZstd("octet_length(event_zstd)")} AS stored
       FROM transcript_events WHERE session_id = ? AND seq >= ? AND seq < ?
       ORDER BY seq LIMIT ${PAGE_ROWS}`,
    joined: `SELECT group_concat(seq) AS "order", CAST(group_concat(event_json, '') AS BLOB) AS texts,
              ${ifZstd("CAST(group_concat(event_zstd, '') AS BLOB)")} AS frames
       FROM (SELECT * FROM transcript_events WHERE session_id = ? AND seq BETWEEN ? AND ? ORDER BY seq)`,
    // As a blob the text comes as the bytes it is, without a detour over a JavaScript string.
    rows: `SELECT seq, ${size} AS bytes, CAST(event_json AS BLOB) AS json, ${ifZstd("event_zstd")} AS zstd
       FROM transcript_events WHERE session_id = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
  };
}

const CHANGED_AT_SQL = `SELECT ${changedAtSql("w")} AS changedAt FROM session_windows AS w WHERE session_id = ?`;

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

  async *pages(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Page> {
    let generation: string | null | undefined;
    for (let from = start; from < end; ) {
      this.#heed(signal);
      this.#connection.assertInPlace();
      const next = this.#connection.snapshot(() => ({
        generation: this.#generation(),
        rows: this.#joined(this.#nextRows(from, end)),
      }));
      if (generation === undefined) generation = next.generation;
      const last = next.rows.sizes.at(-1)?.seq;
      if (last === undefined || next.generation !== generation) throw this.#changed();
      const lines = await joinedLines(next.rows);
      if (lines === null) yield await this.#rowByRow(from, last, generation);
      else yield { lines, count: next.rows.sizes.length, last };
      from = last + 1;
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

  async #textOf(size: SizeRow): Promise<Buffer | null> {
    if ((size.bytes ?? 0) >= MAX_LINE_BYTES) return null;
    this.#assertReadable(size);
    const row = this.#rows(size.seq, size.seq)[0];
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

  /** A page of what is not as it is nearly always. */
  async #rowByRow(first: number, last: number, generation: string | null): Promise<Page> {
    const next = this.#connection.snapshot(() => ({
      generation: this.#generation(),
      rows: this.#rows(first, last),
    }));
    if (next.generation !== generation || next.rows.length === 0) throw this.#changed();
    const events: Event[] = [];
    let slice = performance.now();
    for (const row of next.rows) {
      if (performance.now() - slice > SLICE_MS) {
        await setImmediate();
        slice = performance.now();
      }
      events.push(await decodeEvent(this.#sessionId, row));
    }
    return pageOf(events);
  }

  /** The next rows of `[start, end)` that make one page. Their lengths are looked at before anything is loaded. */
  #nextRows(start: number, end: number): RowSize[] {
    const rows: RowSize[] = [];
    let total = 0;
    for (const size of this.#sizes(start, end)) {
      const { seq, packed, stored } = size;
      const bytes = this.#assertReadable(size);
      total += bytes;
      if (total > PAGE_BYTES && rows.length > 0) break;
      rows.push({ seq, bytes, packed, stored });
    }
    return rows;
  }

  /** The length of an event that may be loaded. @throws {StoreError} `EVENT_ENCODING` or `EVENT_DAMAGED` */
  #assertReadable({ seq, bytes, stored }: SizeRow): number {
    if (bytes === null) throw unknownEncoding(this.#sessionId, seq);
    if (Math.max(bytes, stored ?? 0) >= MAX_LINE_BYTES) {
      throw damaged(this.#sessionId, seq, "it is longer than any line that is sent");
    }
    return bytes;
  }

  #joined(sizes: readonly RowSize[]): JoinedRows {
    const nothing = { order: null, texts: null, frames: null, sizes };
    // One row has nothing to be joined with, and a long one would be in memory more often.
    if (sizes.length < 2) return nothing;
    const content = this.#connection.get<Omit<JoinedRows, "sizes">>(
      this.#sql.joined,
      this.#sessionId,
      sizes[0]?.seq ?? 0,
      sizes.at(-1)?.seq ?? -1,
    );
    return { ...nothing, ...content };
  }

  #rows(first: number, last: number): EventRow[] {
    return this.#connection.all<EventRow>(this.#sql.rows, this.#sessionId, first, last);
  }

  #sizes(start: number, end: number): SizeRow[] {
    const page = this.#connection.all<SizeRow>(this.#sql.stored, this.#sessionId, start, end);
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
