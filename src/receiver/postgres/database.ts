import type { Pool, PoolClient } from "pg";
import { InfluxionError } from "../../shared/problem.ts";
import { Refusal } from "../refusal.ts";
import { notStored, overloaded } from "../unavailable.ts";
import { type Driver, loadDriver } from "./driver.ts";
import { commit, Lease } from "./lease.ts";
import { checkSchema, migrate } from "./schema.ts";

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`, and what else the driver understands. */
  readonly url: string;
  /** Most connections at a time. @default 10 */
  readonly pool?: number | undefined;
  /** How long to wait for a connection, in ms. @default 5000 */
  readonly connectMs?: number | undefined;
  /**
   * How long one statement may take, in ms; the connection is given up then. A database whose
   * machine is gone would otherwise keep connections for a quarter of an hour. @default no limit
   */
  readonly statementMs?: number | undefined;
}

export const DEFAULT_POOL = 10;
const CONNECT_MS = 5000;

/** PostgreSQL 16: https://www.postgresql.org/docs/current/runtime-config-preset.html */
const OLDEST_SERVER = 160_000;

const INT8 = 20;

/**
 * What holds in every transaction, whatever is the default of database, user or connection.
 *
 * - `synchronous_commit`: what is answered survives a crash, and that of the primary when there
 *   is a synchronous standby.
 * - `lock_timeout`: another attempt at a session may be slow, and this one is tried again.
 * - The keepalives end what a receiver whose machine is gone has left locked, in 25 s.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = 0;
  SET LOCAL lock_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '5min';
  SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5;
  SET LOCAL tcp_keepalives_count = 3`;

/** Connections to one database, and transactions on them. */
export class Database {
  readonly driver: Driver;
  readonly #pool: Pool;
  readonly #max: number;

  private constructor(driver: Driver, pool: Pool, max: number) {
    this.driver = driver;
    this.#pool = pool;
    this.#max = max;
    // The pool has let go of that connection already.
    pool.on("error", () => undefined);
    // Of one in use the query that is under way fails as well, or the next one, and tells. It is listened to as
    // long as it lasts: it may end before who waits for it has it, and what nobody listens to ends the process.
    pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** Connects to nothing yet. @throws {InfluxionError} `RECEIVER_NO_DRIVER`, `RECEIVER_STORE_UNUSABLE` */
  static async open(options: DatabaseOptions): Promise<Database> {
    const { url, pool = DEFAULT_POOL, connectMs = CONNECT_MS, statementMs } = options;
    const driver = await loadDriver();
    try {
      const made = new driver.Pool({
        connectionString: url,
        max: pool,
        connectionTimeoutMillis: connectMs,
        ...(statementMs === undefined ? {} : { query_timeout: statementMs }),
        application_name: "influxion-receive",
        keepAlive: true,
        types: { getTypeParser: typeParser(driver) },
      });
      return new Database(driver, made, pool);
    } catch (error) {
      throw unusable(
        "its address is not of the form postgres://user:password@host/database",
        error,
      );
    }
  }

  /**
   * Makes sure that the database can be used, or makes its tables.
   * @throws {InfluxionError} `RECEIVER_STORE_UNUSABLE`, `RECEIVER_STORE_TOO_NEW`, `RECEIVER_STORE_TOO_OLD`
   */
  async prepare(options: { readonly migrate: boolean }): Promise<void> {
    try {
      await this.use(async (client) => {
        await checkServer(client);
        await (options.migrate ? migrate(client) : checkSchema(client));
      });
    } catch (error) {
      throw error instanceof InfluxionError && !(error instanceof Refusal)
        ? error
        : unusable(reasonOf(error), error);
    }
  }

  /**
   * Fails when parts cannot be stored now, for any reason. That all connections are in use is none:
   * one that is busy would leave its load to the others, and whoever asks does not wait long.
   */
  async check(): Promise<void> {
    if (this.connections.spent) return;
    await this.use(async (client) => {
      await checkSchema(client);
      const { rows } = await client.query("SELECT pg_is_in_recovery() AS standby");
      if (rows[0]?.standby === true) throw unusable("it is a standby", undefined);
    });
  }

  /** Uses a connection for statements that are each a transaction. */
  async use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const lease = await this.lease();
    try {
      const result = await work(lease.client);
      lease.release();
      return result;
    } catch (error) {
      lease.destroy();
      throw error;
    }
  }

  async transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.use(async (client) => {
      await client.query(BEGIN);
      const result = await work(client);
      await commit(client);
      return result;
    });
  }

  /**
   * A connection in a transaction of its own, which begins with the statement `first`.
   * @throws {Refusal} `OVERLOADED`, `NOT_STORED`
   */
  async begin(first: string): Promise<Lease> {
    const lease = await this.lease();
    try {
      await lease.client.query(`${BEGIN}; ${first}`);
      return lease;
    } catch (error) {
      lease.destroy();
      throw error;
    }
  }

  /** @throws {Refusal} `OVERLOADED`, `NOT_STORED` */
  async lease(): Promise<Lease> {
    try {
      return new Lease(await this.#pool.connect());
    } catch (error) {
      const { spent } = this.connections;
      throw spent ? overloaded("all connections to the database are in use") : notStored(error);
    }
  }

  /** How many connections there are. `spent`: none of them is free, and there may not be more. */
  get connections(): { total: number; idle: number; waiting: number; spent: boolean } {
    const { totalCount: total, idleCount: idle, waitingCount: waiting } = this.#pool;
    return { total, idle, waiting, spent: total >= this.#max && idle === 0 };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

async function checkServer(client: PoolClient): Promise<void> {
  const { rows } = await client.query(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding",
  );
  const { version, encoding } = rows[0] ?? {};
  if (version < OLDEST_SERVER) {
    throw unusable("it is older than PostgreSQL 16", undefined);
  }
  if (encoding !== "UTF8") throw unusable(`its encoding is ${encoding}, not UTF8`, undefined);
}

/** Counts and generations are safe integers; the driver would make texts of them. */
function typeParser({ types }: Driver): Driver["types"]["getTypeParser"] {
  return ((oid: number, format?: "text") =>
    oid === INT8 ? Number : types.getTypeParser(oid, format)) as Driver["types"]["getTypeParser"];
}

function unusable(why: string, cause: unknown): InfluxionError {
  return new InfluxionError(
    "RECEIVER_STORE_UNUSABLE",
    `the database cannot be used (${why}); see to it, or give another one with --store`,
    { cause },
  );
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Refusal ? error.cause : error;
  // Of the server or the system; neither has the password in it.
  return cause instanceof Error && cause.message !== "" ? cause.message : "it does not answer";
}
