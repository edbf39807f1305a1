import type { Backend, PartName } from "../backend.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { PostgresDraft } from "./draft.ts";

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
    const database = await Database.open(options);
    try {
      await database.prepare({ migrate });
      return new PostgresStore(database);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async begin(name: PartName): Promise<PostgresDraft> {
    return new PostgresDraft(this.database, name);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
