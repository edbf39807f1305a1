import type { Backend, Deleted, Deletion, PartName } from "../backend.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { deleteScope } from "./delete.ts";
import { PostgresDraft } from "./draft.ts";

/** Longer than any lock is waited for. */
const STATEMENT_MS = 60_000;

export interface StoreOptions extends DatabaseOptions {
  /** Makes the tables, or brings those of an older version up to date. @default false */
  readonly migrate?: boolean | undefined;
}

/** What is received, in PostgreSQL; any number of receivers may use one database. */
export class PostgresStore implements Backend {
  readonly database: Database;

  private constructor(database: Database) {
    this.database = database;
  }

  /**
   * @throws {InfluxionError} `RECEIVER_NO_DRIVER`, `RECEIVER_STORE_UNUSABLE`,
   * `RECEIVER_STORE_TOO_NEW`, `RECEIVER_STORE_TOO_OLD`
   */
  static async open({ migrate = false, ...options }: StoreOptions): Promise<PostgresStore> {
    if (migrate) await prepared(await Database.open({ ...options, pool: 1 }), true).then(close);
    const database = await Database.open({ statementMs: STATEMENT_MS, ...options });
    return new PostgresStore(await prepared(database, false));
  }

  async begin(name: PartName): Promise<PostgresDraft> {
    return new PostgresDraft(this.database, name);
  }

  delete(deletion: Deletion): Promise<Deleted> {
    return deleteScope(this.database, deletion);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

async function prepared(database: Database, migrate: boolean): Promise<Database> {
  try {
    await database.prepare({ migrate });
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

function close(database: Database): Promise<void> {
  return database.close();
}
