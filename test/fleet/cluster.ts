import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort, PostgresServer } from "../support/postgres.ts";

/** A primary with a synchronous standby, behind one address that follows the primary. */
export class Cluster implements AsyncDisposable {
  #primary: PostgresServer;
  #standby: PostgresServer;
  readonly #address: Server;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();

  private constructor(primary: PostgresServer, standby: PostgresServer, port: number) {
    this.#primary = primary;
    this.#standby = standby;
    this.#port = port;
    this.#address = createServer((client) => this.#forward(client)).listen(port, "127.0.0.1");
  }

  static async start(): Promise<Cluster> {
    const primary = await PostgresServer.start(SETTINGS);
    await primary.query("CREATE DATABASE fleet");
    return new Cluster(primary, await primary.startStandby(), await freePort());
  }

  /** Of the database, whichever server is the primary. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/fleet`;
  }

  /** Loses the primary; the standby takes its place, and gets a standby of its own. */
  async failOver(): Promise<void> {
    const lost = this.#primary;
    await lost.kill();
    for (const socket of this.#sockets) socket.destroy();
    await this.#standby.promote();
    this.#primary = this.#standby;
    this.#standby = await this.#primary.startStandby();
    await lost[Symbol.asyncDispose]();
  }

  #forward(client: Socket): void {
    const server = connect(this.#primary.port, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#address.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#standby[Symbol.asyncDispose]();
    await this.#primary[Symbol.asyncDispose]();
  }
}

const SETTINGS = { max_connections: "150", wal_keep_size: "256MB" };
