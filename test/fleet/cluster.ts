import { PostgresServer } from "../support/postgres.ts";
import { type Relay, startRelay } from "../support/relay.ts";

/** A primary with a synchronous standby, behind one address that follows the primary. */
export class Cluster implements AsyncDisposable {
  #primary: PostgresServer;
  /** Follows the primary once it has been rebuilt. */
  #standby: Promise<PostgresServer>;
  readonly #dirs = new Set<string>();
  readonly #relay: Relay;

  private constructor(primary: PostgresServer, standby: PostgresServer, relay: Relay) {
    this.#primary = primary;
    this.#standby = Promise.resolve(standby);
    this.#relay = relay;
    for (const { dir } of [primary, standby]) this.#dirs.add(dir);
  }

  static async start(): Promise<Cluster> {
    const primary = await PostgresServer.start(SETTINGS);
    await primary.query("CREATE DATABASE fleet");
    const standby = await primary.startStandby();
    const cluster: Cluster = new Cluster(
      primary,
      standby,
      await startRelay(() => cluster.#primary.port),
    );
    return cluster;
  }

  /** Of the database, whichever server is the primary. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#relay.port}/fleet`;
  }

  /** The folders in which there are servers now. */
  get dirs(): readonly string[] {
    return [...this.#dirs];
  }

  /** Loses the primary, and the standby takes its place, which gets a standby of its own while work goes on. */
  async failOver(): Promise<void> {
    const standby = await this.#standby;
    const lost = this.#primary;
    await lost.kill();
    this.#relay.cut();
    await standby.promote();
    this.#primary = standby;
    this.#standby = this.#replace(lost);
    // It is awaited by whoever needs the standby, or at the end.
    this.#standby.catch(() => undefined);
  }

  async #replace(lost: PostgresServer): Promise<PostgresServer> {
    await lost[Symbol.asyncDispose]();
    this.#dirs.delete(lost.dir);
    const standby = await this.#primary.startStandby();
    this.#dirs.add(standby.dir);
    return standby;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
    await (await this.#standby)[Symbol.asyncDispose]();
    await this.#primary[Symbol.asyncDispose]();
  }
}

/** The write-ahead log is kept for a standby that is behind, and takes no more of the disk than twice that. */
const SETTINGS = { max_connections: "150", wal_keep_size: "256MB", max_wal_size: "256MB" };
