import { PostgresServer } from "../support/postgres.ts";
import { type Relay, startRelay } from "../support/relay.ts";

/** A primary with a synchronous standby, behind one address that follows the primary. */
export class Cluster implements AsyncDisposable {
  #primary: PostgresServer;
  #standby: PostgresServer;
  readonly #relay: Relay;

  private constructor(primary: PostgresServer, standby: PostgresServer, relay: Relay) {
    this.#primary = primary;
    this.#standby = standby;
    this.#relay = relay;
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

  /** Loses the primary; the standby takes its place, and gets a standby of its own. */
  async failOver(): Promise<void> {
    const lost = this.#primary;
    await lost.kill();
    this.#relay.cut();
    await this.#standby.promote();
    this.#primary = this.#standby;
    this.#standby = await this.#primary.startStandby();
    await lost[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
    await this.#standby[Symbol.asyncDispose]();
    await this.#primary[Symbol.asyncDispose]();
  }
}

const SETTINGS = { max_connections: "150", wal_keep_size: "256MB" };
