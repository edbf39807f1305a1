import type { Clock } from "../shared/clock.ts";
import { InfluxionError, type Problem, StoreError } from "../shared/problem.ts";
import { COLD_ROW_SQL, type ColdRow, ColdSource } from "./sqlite/cold.ts";
import { Connection, DatabaseBusyError, DatabaseMissingError } from "./sqlite/connection.ts";
import { deletedSessions } from "./sqlite/deleted.ts";
import { badNumbers } from "./sqlite/event.ts";
import { listSessions, type OpenDatabase } from "./sqlite/list.ts";
import { LiveSource } from "./sqlite/live.ts";
import { Originals } from "./sqlite/originals.ts";
import { SqliteReader } from "./sqlite/reader.ts";
import { holdsTranscripts, probeShape } from "./sqlite/shape.ts";
import type { EventSource } from "./sqlite/source.ts";
import { BAD_SEQ_SQL } from "./sqlite/values.ts";
import type { KnownBytes, Listing, Reader, Store, Stream } from "./store.ts";

export interface SqliteStoreOptions extends Clock {
  readonly agentId: string;
  /** The agent's `openclaw-agent.sqlite`. */
  readonly path: string;
  /** The agent's `sessions/` folder, where archives of cold sessions lie; it need not exist. */
  readonly sessionsDir: string;
  /**
   * Sizes from earlier listings. With it, listing reads no row of a session that
   * did not change; without it, the header of every row.
   */
  readonly knownBytes?: KnownBytes;
  /** Also find out what sessions are called. */
  readonly needsNames?: boolean;
  /** Also find out when they began. */
  readonly needsStart?: boolean;
}

/**
 * Whether the file at the place of an agent's database is one with transcripts; a problem
 * when that cannot be determined. Older hosts use the name for something else.
 */
export async function probeDatabase(agentId: string, path: string): Promise<boolean | Problem> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(path, `the database of agent ${agentId}`);
    return holdsTranscripts(connection);
  } catch (error) {
    if (error instanceof DatabaseMissingError) return false;
    // Locked right now: reading it says so, and is tried again in the next run.
    if (error instanceof DatabaseBusyError) return true;
    if (!(error instanceof InfluxionError)) throw error;
    return { code: error.code, agentId, message: error.message };
  } finally {
    connection?.close();
  }
}

/** The store of hosts that keep an agent's sessions in one database (OpenClaw from 2026.8). */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options);
}

class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly namesOthers = true;
  readonly agentId: string;
  readonly #options: SqliteStoreOptions;
  readonly #originals: Originals;
  #open: Promise<OpenDatabase> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.agentId = options.agentId;
    this.#options = options;
    this.#originals = new Originals(options.sessionsDir, options.now);
  }

  async list(signal?: AbortSignal): Promise<Listing> {
    const { knownBytes = () => undefined, needsNames = false, needsStart = false } = this.#options;
    const options = { agentId: this.agentId, knownBytes, needsNames, needsStart, signal };
    return listSessions(await this.#connect(), options);
  }

  async deleted(): Promise<ReadonlyMap<string, number>> {
    return deletedSessions(await this.#connect());
  }

  async open(stream: Stream, signal?: AbortSignal): Promise<Reader> {
    const source = await this.#sourceOf(stream, signal);
    return new SqliteReader(source, stream, this.#options.now);
  }

  originals(stream: Stream, signal?: AbortSignal): AsyncIterable<Reader> {
    return this.#originals.of(stream, signal);
  }

  async close(): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    this.#open = undefined;
    open?.connection.close();
  }

  async #sourceOf({ sessionId }: Stream, signal?: AbortSignal): Promise<EventSource> {
    const { connection, shape } = await this.#connect();
    // One scan of both, so that a session on its way between them is not missed.
    const { live, numbers, cold } = connection.snapshot(() => ({
      numbers: connection.get<{ bad: number }>(BAD_SEQ_SQL, sessionId),
      live: connection.get(
        "SELECT 1 FROM transcript_events WHERE session_id = ? LIMIT 1",
        sessionId,
      ),
      cold: shape.cold ? connection.get<ColdRow>(COLD_ROW_SQL, sessionId) : undefined,
    }));
    if (live !== undefined && cold !== undefined) {
      throw new StoreError(
        "DB_SHAPE",
        `session ${sessionId} is both in the database and in cold storage; run "openclaw doctor". The session waits until then`,
      );
    }
    if (numbers?.bad === 1) throw badNumbers(sessionId);
    if (live !== undefined) return new LiveSource(connection, shape, sessionId, signal);
    if (cold !== undefined) {
      return ColdSource.open(connection, cold, this.#options.sessionsDir, signal);
    }
    throw new StoreError("SESSION_GONE", `session ${sessionId} is no longer in the database`);
  }

  /** One connection for a run; a database that was replaced in the meantime is opened again. */
  #connect(): Promise<OpenDatabase> {
    this.#open = this.#reopen(this.#open);
    return this.#open;
  }

  async #reopen(before: Promise<OpenDatabase> | undefined): Promise<OpenDatabase> {
    const open = await before?.catch(() => undefined);
    if (open?.connection.isInPlace()) return open;
    open?.connection.close();
    const { agentId, path } = this.#options;
    const connection = await Connection.open(path, `the database of agent ${agentId}`);
    try {
      return { connection, shape: probeShape(connection) };
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}
