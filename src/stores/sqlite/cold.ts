import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { MAX_LINE_BYTES } from "../../protocol/limits.ts";
import { type OpenFile, openRegular } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError, SourceChangedError, StoreError } from "../../shared/problem.ts";
import { type ColdEvent, coldEvents } from "./cold-lines.ts";
import type { Connection } from "./connection.ts";
import { decodeEvent, digestOf, type Event, pageOf } from "./event.ts";
import {
  type EventSize,
  type EventSource,
  PAGE_BYTES,
  PAGE_ROWS,
  type Page,
  type State,
  type Totals,
} from "./source.ts";
import { changedAtSql, countSql, seqSql, textSql } from "./values.ts";

/** Most bytes an archive may have; the host makes none whose unpacked content is longer. */
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;

/** Most bytes it may unpack to: archived sessions are small, and some bytes of an archive can stand for terabytes. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

const ARCHIVE_NAME = /^[0-9a-f]{64}\.jsonl\.zst$/;

/** What the database says about a session in cold storage. */
export interface ColdRow {
  readonly session_id: string;
  /** These are null when the database has something else there. */
  readonly generation: string | null;
  readonly archive_name: string | null;
  readonly archive_sha256: string | null;
  readonly event_count: number | null;
  readonly last_seq: number | null;
  readonly storage: string | null;
  readonly changedAt: number;
}

export const COLD_ROW_SQL = `
  SELECT c.session_id, ${textSql("c.generation")} AS generation,
         ${textSql("c.archive_name")} AS archive_name,
         ${textSql("c.archive_sha256")} AS archive_sha256,
         ${countSql("c.event_count")} AS event_count, ${seqSql("c.last_seq")} AS last_seq,
         ${textSql("c.storage")} AS storage, ${changedAtSql("w")} AS changedAt
  FROM session_transcript_cold_archives AS c LEFT JOIN session_windows AS w USING (session_id)
  WHERE c.session_id = ?`;

/**
 * A session that the host moved to cold storage: one compressed archive, which is
 * never changed, with the events under the sequence numbers they had before.
 */
export class ColdSource implements EventSource {
  readonly #connection: Connection;
  readonly #row: ColdRow;
  readonly #coldDir: string;
  readonly #signal: AbortSignal | undefined;
  /** All events, ascending. */
  readonly #index: { readonly seq: number; readonly bytes: number; readonly digest: string }[] = [];

  /** @throws {StoreError} `COLD_MISSING` or `COLD_DAMAGED`. Reads the archive once to check and index it. */
  static async open(
    connection: Connection,
    row: ColdRow,
    sessionsDir: string,
    signal?: AbortSignal,
  ): Promise<ColdSource> {
    const source = new ColdSource(connection, row, join(sessionsDir, "cold"), signal);
    await source.#buildIndex();
    return source;
  }

  private constructor(
    connection: Connection,
    row: ColdRow,
    coldDir: string,
    signal: AbortSignal | undefined,
  ) {
    this.#connection = connection;
    this.#row = row;
    this.#coldDir = coldDir;
    this.#signal = signal;
  }

  async state(): Promise<State> {
    await this.#assertStillCold();
    return { generation: this.#row.generation, changedAt: this.#row.changedAt };
  }

  totals(start: number, end: number): Promise<Totals> {
    const inRange = this.#index.filter(({ seq }) => seq >= start && seq < end);
    const bytes = inRange.reduce((sum, event) => sum + event.bytes, 0);
    return Promise.resolve({ count: inRange.length, bytes });
  }

  async *sizes(start: number): AsyncGenerator<readonly EventSize[]> {
    yield this.#index.filter(({ seq }) => seq >= start);
  }

  async *pages(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Page> {
    for await (const events of this.#events(start, end, signal)) yield pageOf(events);
  }

  digest(seq: number): Promise<string | null> {
    return Promise.resolve(this.#index.find((entry) => entry.seq === seq)?.digest ?? null);
  }

  async text(seq: number): Promise<Buffer | null> {
    const size = this.#index.find((entry) => entry.seq === seq);
    if (size === undefined || size.bytes >= MAX_LINE_BYTES) return null;
    for await (const page of this.#events(seq, seq + 1)) return page[0]?.text ?? null;
    return null;
  }

  seqAt(index: number): Promise<number | null> {
    return Promise.resolve(this.#index[index]?.seq ?? null);
  }

  async *#events(
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Event[]> {
    let page: Event[] = [];
    let bytes = 0;
    for await (const { seq, text, bytes: length } of this.#all(signal)) {
      if (seq >= end) break;
      if (seq < start) continue;
      if (text === null) throw this.#damaged(`event ${seq} is longer than any line that is sent`);
      if (page.length > 0 && (page.length === PAGE_ROWS || bytes + length > PAGE_BYTES)) {
        await this.#assertStillCold();
        yield page;
        page = [];
        bytes = 0;
      }
      page.push(
        await decodeEvent(this.#row.session_id, { seq, bytes: length, json: text, zstd: null }),
      );
      bytes += length;
    }
    await this.#assertStillCold();
    if (page.length > 0) yield page;
  }

  async #buildIndex(): Promise<void> {
    const { event_count, last_seq, archive_sha256 } = this.#row;
    if (event_count === null || last_seq === null || archive_sha256 === null) {
      throw this.#damaged("what the database says about it is not understood");
    }
    const hash = createHash("sha256");
    for await (const { seq, bytes, text } of this.#all(undefined, hash)) {
      if (seq <= (this.#index.at(-1)?.seq ?? -1))
        throw this.#damaged("its events are out of order");
      if (this.#index.push({ seq, bytes, digest: digestOf(text, bytes) }) > event_count) break;
    }
    if (hash.digest("hex") !== archive_sha256) throw this.#damaged("its checksum differs");
    if (this.#index.length !== event_count || this.#index.at(-1)?.seq !== last_seq) {
      throw this.#damaged("it does not hold the events the database says it holds");
    }
  }

  async *#all(signal?: AbortSignal, hash?: Hash): AsyncGenerator<ColdEvent> {
    const packed = await this.#packed();
    // Errors reach the loop below through the last stream.
    const unpacked = pipeline(packed, hashed(hash), createZstdDecompress(), () => undefined);
    const heeded = bounded(unpacked, () => {
      this.#signal?.throwIfAborted();
      signal?.throwIfAborted();
    });
    try {
      yield* coldEvents(heeded, {
        sessionId: this.#row.session_id,
        generation: this.#row.generation ?? "",
      });
    } catch (error) {
      const aborted = this.#signal?.aborted === true || signal?.aborted === true;
      if (error instanceof InfluxionError || aborted) throw error;
      throw this.#damaged(error instanceof Error ? error.message : String(error), error);
    } finally {
      packed.destroy();
    }
  }

  /** The archive as it is stored, in a file or, in restored backups, in the database. */
  async #packed(): Promise<Readable> {
    if (this.#row.storage === "sqlite") return Readable.from(chunksOf(this.#blob()));
    const { archive_name: name } = this.#row;
    if (this.#row.storage !== "file" || name === null || !ARCHIVE_NAME.test(name)) {
      throw this.#damaged(`it is stored in a way influxion does not know (${this.#row.storage})`);
    }
    const path = join(this.#coldDir, name);
    const { file, stats } = await this.#open(path);
    if (stats.size <= MAX_ARCHIVE_BYTES) return file.createReadStream();
    await file.close();
    throw this.#damaged("it is larger than any the host makes");
  }

  async #open(path: string): Promise<OpenFile> {
    try {
      return await openRegular(path);
    } catch (error) {
      const reason =
        error instanceof InfluxionError ? error.message : errnoOf(error) || String(error);
      throw new StoreError(
        "COLD_MISSING",
        `the cold archive of session ${this.#row.session_id} cannot be read (${reason}): ${path}; restore it from a backup`,
        { cause: error },
      );
    }
  }

  /** Loaded in one piece: SQLite can hand out a part of a blob only after loading all of it. */
  #blob(): Uint8Array {
    const sql = "FROM session_transcript_cold_archives WHERE session_id = ?";
    return this.#connection.snapshot(() => {
      const length = this.#connection.get<{ bytes: number | null }>(
        `SELECT octet_length(archive_blob) AS bytes ${sql}`,
        this.#row.session_id,
      );
      if (length === undefined) throw this.#moved();
      if (length.bytes === null || length.bytes > MAX_ARCHIVE_BYTES) {
        throw this.#damaged("its size in the database is impossible");
      }
      const row = this.#connection.get<{ blob: Uint8Array }>(
        `SELECT CAST(archive_blob AS BLOB) AS blob ${sql}`,
        this.#row.session_id,
      );
      return row?.blob ?? new Uint8Array();
    });
  }

  /** A session that was deleted or restored while its archive is read goes no further. */
  async #assertStillCold(): Promise<void> {
    this.#connection.assertInPlace();
    const row = this.#connection.get<ColdRow>(COLD_ROW_SQL, this.#row.session_id);
    if (row?.archive_sha256 !== this.#row.archive_sha256) throw this.#moved();
  }

  #moved(): SourceChangedError {
    return new SourceChangedError(
      `session ${this.#row.session_id} was restored from cold storage or deleted while it was read`,
    );
  }

  #damaged(reason: string, cause?: unknown): StoreError {
    return new StoreError(
      "COLD_DAMAGED",
      `the cold archive ${this.#row.archive_name} of session ${this.#row.session_id} is damaged: ${reason}; restore it from a backup. The session waits until then`,
      { cause },
    );
  }
}

/** What an archive unpacks to, up to the bound; `heed` is called with every chunk. */
async function* bounded(chunks: AsyncIterable<Buffer>, heed: () => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    heed();
    bytes += chunk.length;
    if (bytes > MAX_UNPACKED_BYTES) throw new Error("it unpacks to more than any the host makes");
    yield chunk;
  }
}

/** Feeds everything that passes to `hash`. */
function hashed(hash?: Hash) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash?.update(chunk);
      yield chunk;
    }
  };
}

function* chunksOf(bytes: Uint8Array): Generator<Buffer> {
  const step = 64 * 1024;
  for (let at = 0; at < bytes.length; at += step) {
    const length = Math.min(step, bytes.length - at);
    yield Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
  }
}
