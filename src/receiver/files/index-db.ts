import type { DatabaseSync } from "node:sqlite";
import type { Receipt } from "../../protocol/wire.ts";
import { loadSqlite } from "../../shared/sqlite.ts";
import type { Deletion, SessionIds } from "../backend.ts";
import { furtherStreamOf, ownerOf, streamOf } from "../names.ts";
import { type Doomed, doom, forgottenThrough } from "./deletion.ts";
import { migrate } from "./index-schema.ts";
import { RefusalCounts } from "./refusal-counts.ts";

/** One generation of one session: what its file holds. */
export interface SessionRow {
  /** See `streamOf`; the ids themselves may hold what SQLite cannot tell apart. */
  readonly stream: string;
  /** See `ownerOf`; null in what an older version received. */
  readonly owner: string | null;
  /** Names its file: 0 for the first that arrived of a session, 1 for the second and so on. */
  readonly generation: number;
  /** Orders the generations of a session: what its parts say, or one more than the newest before. */
  readonly wireGeneration: number;
  readonly agentId: string;
  readonly sessionId: string;
  /** Path of the JSONL file, relative to the receiver's folder. */
  readonly file: string;
  readonly parts: number;
  /** Lines received, accepted and rejected: the `lineIndex` the next part must have. */
  readonly lines: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Committed length of the file in bytes; what lies behind it was never confirmed. */
  readonly bytes: number;
}

export interface PartRow {
  readonly key: string;
  readonly sha256: string;
  readonly stream: string;
  readonly generation: number;
  readonly firstLine: number;
  readonly lines: number;
  readonly receipt: Receipt & { readonly batchId: string };
  readonly wireBytes: number;
  readonly decodedBytes: number;
  /** ISO 8601. */
  readonly receivedAt: string;
}

export interface ReceiverStats {
  /** Parts that are held. */
  readonly parts: number;
  /** Parts that came again and were answered from the record. */
  readonly repeats: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Bytes of the stored parts' bodies as they were sent. */
  readonly wireBytes: number;
  /** Bytes of the stored parts' bodies after decompression. */
  readonly decodedBytes: number;
  /**
   * How often each reason led to a refusal, e.g. `KEY_REUSED` (a known key with another
   * body), `OUT_OF_ORDER`, `CUT_SHORT`, `UNAUTHORIZED`. Survives a restart after `close()`.
   */
  readonly refusals: Readonly<Record<string, number>>;
}

/** What is known of a generation before its first part is stored. */
export type NewGeneration = Pick<
  SessionRow,
  "stream" | "owner" | "generation" | "wireGeneration" | "agentId" | "sessionId" | "file"
> & {
  /** See `unnamedAfter`. */
  readonly unnamedAfter: number | null;
};

const SESSION_COLUMNS = `stream, owner, generation, wire_generation AS wireGeneration, agent_id AS agentId,
  session_id AS sessionId, file, parts, lines, accepted, rejected, bytes`;

/** What was received, in `index.sqlite`. Every method is one transaction. */
export class Index {
  readonly #db: DatabaseSync;
  readonly #refusals = new RefusalCounts();

  /**
   * @throws {InfluxionError} `RECEIVER_INDEX_TOO_NEW` when a newer version wrote the file
   * @throws the error of SQLite when it is damaged, or not an index
   */
  constructor(file: string) {
    this.#db = new (loadSqlite().DatabaseSync)(file);
    try {
      migrate(this.#db, file);
      this.#db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON",
      );
      this.#clearLog();
      // Damage behind the first page, or tables of something else, show themselves here.
      this.sessions();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /**
   * All generations, those of one session from the oldest to the newest, also those whose
   * first part was never committed (`parts` 0).
   */
  sessions(): SessionRow[] {
    return this.#db
      .prepare(
        `SELECT ${SESSION_COLUMNS} FROM sessions
         ORDER BY agent_id, session_id, stream, wire_generation`,
      )
      .all() as unknown as SessionRow[];
  }

  /**
   * The `stream` of a session, see `streamOf`. A second owner of one of the same ids has a stream of its
   * own, and what an older version received belongs to the first owner that names it.
   */
  streamFor(ids: SessionIds): string {
    const owner = ownerOf(ids);
    const stream = streamOf(ids.agentId, ids.sessionId);
    const further = furtherStreamOf(stream, owner);
    const rows = this.#db
      .prepare("SELECT stream, owner FROM sessions WHERE stream IN (?, ?)")
      .all(stream, further);
    return rows.every((row) => row.owner === null || (row.owner === owner && row.stream === stream))
      ? stream
      : further;
  }

  /** Of the deletions that mean a session, the highest `through`. */
  forgottenThrough(ids: SessionIds): number | undefined {
    return forgottenThrough(this.#db, ids);
  }

  /**
   * Takes back all that is recorded of what a deletion means, and has it refused from now on. What it
   * returns is to be removed, and then forgotten; a crash before leaves that to the next start.
   */
  delete(deletion: Deletion): Doomed {
    return this.#transaction(() => doom(this.#db, deletion));
  }

  /** The generation of a session that its parts call `wireGeneration`, also with `parts` 0. */
  generation(stream: string, wireGeneration: number): SessionRow | undefined {
    return this.#db
      .prepare(`SELECT ${SESSION_COLUMNS} FROM sessions WHERE stream = ? AND wire_generation = ?`)
      .get(stream, wireGeneration) as unknown as SessionRow | undefined;
  }

  /** `generation` for the next one of a session. */
  nextGeneration(stream: string): number {
    const row = this.#db
      .prepare("SELECT coalesce(max(generation) + 1, 0) AS next FROM sessions WHERE stream = ?")
      .get(stream);
    return Number(row?.next);
  }

  /** The newest generation of a session that holds a part. */
  newest(stream: string): SessionRow | undefined {
    return this.#db
      .prepare(
        `SELECT ${SESSION_COLUMNS} FROM sessions WHERE stream = ? AND parts > 0
         ORDER BY wire_generation DESC LIMIT 1`,
      )
      .get(stream) as unknown as SessionRow | undefined;
  }

  /** The newest generation of the part's session, as its parts call it, if the part is of an older one. */
  newerThan({ stream, generation }: Pick<PartRow, "stream" | "generation">): number | undefined {
    const row = this.#db
      .prepare(
        `SELECT max(wire_generation) AS newest FROM sessions WHERE stream = ? AND parts > 0 AND
         wire_generation > (SELECT wire_generation FROM sessions WHERE stream = ? AND generation = ?)`,
      )
      .get(stream, stream, generation);
    return (row?.newest as number | null | undefined) ?? undefined;
  }

  /** Notes a generation before its file is made, so that no crash leaves a file nobody knows. */
  announce(row: NewGeneration): void {
    this.#db
      .prepare(
        `INSERT INTO sessions (stream, owner, generation, wire_generation, unnamed_after, agent_id,
         session_id, file) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        row.stream,
        row.owner,
        row.generation,
        row.wireGeneration,
        row.unnamedAfter,
        row.agentId,
        row.sessionId,
        row.file,
      );
  }

  /** Drops generations of which nothing is held, and what the write-ahead log has of them. */
  forget(rows: readonly Pick<SessionRow, "stream" | "generation">[]): void {
    const remove = this.#db.prepare(
      "DELETE FROM sessions WHERE stream = ? AND generation = ? AND parts = 0",
    );
    this.#transaction(() => {
      for (const { stream, generation } of rows) remove.run(stream, generation);
    });
    this.#clearLog();
  }

  /** Nothing that was deleted is left in the log then; while somebody reads the index, that waits. */
  #clearLog(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  part(key: string): PartRow | undefined {
    const row = this.#db.prepare("SELECT * FROM parts WHERE idempotency_key = ?").get(key);
    if (row === undefined) return undefined;
    const errors: NonNullable<Receipt["errors"]> = JSON.parse(String(row.errors));
    return {
      key,
      sha256: String(row.body_sha256),
      stream: String(row.stream),
      generation: Number(row.generation),
      firstLine: Number(row.first_line),
      lines: Number(row.lines),
      receipt: {
        accepted: Number(row.accepted),
        rejected: Number(row.rejected),
        batchId: String(row.batch_id),
        ...(errors.length > 0 ? { errors } : {}),
      },
      wireBytes: Number(row.wire_bytes),
      decodedBytes: Number(row.decoded_bytes),
      receivedAt: String(row.received_at),
    };
  }

  /** Records a part of `owner` whose payloads are on disk; `bytes` is its file's length with them. */
  commit(part: PartRow, owner: string, bytes: number): void {
    const { accepted, rejected, batchId, errors = [] } = part.receipt;
    this.#transaction(() => {
      this.#db
        .prepare("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)")
        .run(
          part.key,
          part.sha256,
          part.stream,
          part.generation,
          part.firstLine,
          part.lines,
          accepted,
          rejected,
          JSON.stringify(errors),
          batchId,
          part.wireBytes,
          part.decodedBytes,
          part.receivedAt,
        );
      this.#db
        .prepare(
          `UPDATE sessions SET parts = parts + 1, lines = lines + ?, accepted = accepted + ?,
           rejected = rejected + ?, bytes = ? WHERE stream = ? AND generation = ?`,
        )
        .run(part.lines, accepted, rejected, bytes, part.stream, part.generation);
      this.#db
        .prepare("UPDATE sessions SET owner = ? WHERE stream = ? AND owner IS NULL")
        .run(owner, part.stream);
    });
  }

  countRepeat(key: string): void {
    this.#db.prepare("UPDATE parts SET repeats = repeats + 1 WHERE idempotency_key = ?").run(key);
  }

  countRefusal(code: string, message: string, at: string): void {
    this.#refusals.add(code, message, at);
  }

  stats(): ReceiverStats {
    const totals = this.#db
      .prepare(
        `SELECT count(*) AS parts, total(repeats) AS repeats, total(accepted) AS accepted,
         total(rejected) AS rejected, total(wire_bytes) AS wireBytes,
         total(decoded_bytes) AS decodedBytes FROM parts`,
      )
      .get() as unknown as Omit<ReceiverStats, "refusals">;
    return { ...totals, refusals: this.#refusals.totals(this.#db) };
  }

  close(): void {
    try {
      this.#transaction(() => this.#refusals.save(this.#db));
    } catch {
      // Counts are lost, e.g. on a full disk, and nothing else.
    }
    this.#db.close();
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }
}
