import { StoreError } from "../problem.ts";
import { fileMark } from "./mark.ts";
import { COLD_ROW_SQL, type ColdRow, ColdSource } from "./sqlite/cold.ts";
import { Connection } from "./sqlite/connection.ts";
import { type KnownBytes, listSessions, type OpenDatabase } from "./sqlite/list.ts";
import { LiveSource } from "./sqlite/live.ts";
import { Originals } from "./sqlite/originals.ts";
import { SqliteReader } from "./sqlite/reader.ts";
import { probeShape } from "./sqlite/shape.ts";
import type { EventSource } from "./sqlite/source.ts";
import type { Listing, Reader, Store, Stream } from "./store.ts";

export { type AgentDatabase, type FoundDatabases, findAgentDatabases } from "./sqlite/find.ts";

export interface SqliteStoreOptions {
  readonly agentId: string;
  /** The agent's `openclaw-agent.sqlite`. */
  readonly path: string;
  /** The agent's `sessions/` folder, where archives of cold sessions lie; it need not exist. */
  readonly sessionsDir: string;
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
  /**
   * Sizes from earlier listings. With it, listing reads no row of a session that
   * did not change; without it, the header of every row.
   */
  readonly knownBytes?: KnownBytes;
}

/** The store of hosts that keep an agent's sessions in one database (OpenClaw from 2026.8). */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options);
}

class SqliteStore implements Store {
  readonly kind = "sqlite";
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
    const known = this.#options.knownBytes ?? (() => undefined);
    return listSessions(this.agentId, await this.#connect(), known, signal);
  }

  /** Every commit changes the log or, where a checkpoint has emptied it, the file. */
  async mark(): Promise<string> {
    const { path } = this.#options;
    return `${await fileMark(path)}/${await fileMark(`${path}-wal`)}`;
  }

  async open(stream: Stream): Promise<Reader> {
    return new SqliteReader(await this.#sourceOf(stream), stream, this.#options.now);
  }

  originals(stream: Stream): AsyncIterable<Reader> {
    return this.#originals.of(stream);
  }

  async close(): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    this.#open = undefined;
    open?.connection.close();
  }

  async #sourceOf({ sessionId }: Stream): Promise<EventSource> {
    const { connection, shape } = await this.#connect();
    // One look at both, so that a session on its way between them is not missed.
    const { live, cold } = connection.snapshot(() => ({
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
    if (live !== undefined) return new LiveSource(connection, shape, sessionId);
    if (cold !== undefined) {
      return ColdSource.open(connection, cold, this.#options.sessionsDir);
    }
    throw new StoreError("SESSION_GONE", `session ${sessionId} is no longer in the database`);
  }

  /** One connection for a run; a database that was replaced in the meantime is opened anew. */
  #connect(): Promise<OpenDatabase> {
    this.#open = this.#reopen(this.#open);
    return this.#open;
  }

  async #reopen(before: Promise<OpenDatabase> | undefined): Promise<OpenDatabase> {
    const open = await before?.catch(() => undefined);
    if (open !== undefined && (await open.connection.isInPlace())) return open;
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
