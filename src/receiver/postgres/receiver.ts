import { type Access, anyOf, singleKey } from "../access.ts";
import { type ServeOptions, type Service, serve } from "../serve.ts";
import type { Database } from "./database.ts";
import { KeyTable } from "./keys.ts";
import { Pruning } from "./prune.ts";
import { PostgresStore, type StoreOptions } from "./store.ts";

/** How long requests may go on after `close()` before their connections are destroyed. */
const CLOSE_GRACE_MS = 25_000;

export interface PostgresReceiverOptions extends ServeOptions, StoreOptions {
  /** A key for all projects, beside those in the database. @default none */
  readonly key?: string | undefined;
  /** Removes lines that were received more days ago than this, now and every hour. @default never */
  readonly keepDays?: number | undefined;
}

/**
 * Starts a server that takes sessions over the wire contract and keeps them in PostgreSQL.
 *
 * @throws {InfluxionError} `RECEIVER_PORT_IN_USE`, `RECEIVER_CANNOT_LISTEN`, `RECEIVER_TLS_UNUSABLE`,
 * `RECEIVER_NO_DRIVER`, `RECEIVER_STORE_UNUSABLE`, `RECEIVER_STORE_TOO_NEW`, `RECEIVER_STORE_TOO_OLD`
 */
export async function startPostgresReceiver(options: PostgresReceiverOptions): Promise<Service> {
  const store = await PostgresStore.open(options);
  const { database } = store;
  try {
    const service = await serve(
      {
        backend: store,
        access: accessOf(database, options.key),
        graceMs: CLOSE_GRACE_MS,
        check: () => database.check(),
        gauges: gaugesOf(database),
      },
      options,
    );
    const { keepDays, log = () => undefined } = options;
    if (keepDays === undefined) return service;
    const pruning = new Pruning(database, keepDays, log);
    return {
      ...service,
      async close() {
        await Promise.all([pruning.stop(), service.close()]);
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function accessOf(database: Database, key: string | undefined): Access {
  const table = new KeyTable(database);
  return key === undefined ? table : anyOf([singleKey(key), table]);
}

function gaugesOf(database: Database) {
  return [
    {
      name: "database_connections",
      help: "Connections to the database.",
      value: () => database.connections.total,
    },
    {
      name: "database_connections_idle",
      help: "Connections to the database that are free.",
      value: () => database.connections.idle,
    },
    {
      name: "database_connections_waiting",
      help: "Parts that wait for a connection to the database.",
      value: () => database.connections.waiting,
    },
  ];
}
