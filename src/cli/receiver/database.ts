import { Database } from "../../receiver/postgres/database.ts";
import { type Environment, STORE_VARIABLE, storeOf, UsageError } from "./flags.ts";

/** Opens the store of a command, and closes it when the command is done. @throws {UsageError} without one */
export async function withDatabase<T>(
  flags: { readonly store?: string | undefined },
  env: Environment,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const url = storeOf(flags.store, env);
  if (url === undefined) {
    throw new UsageError(`expected --store postgres://user@host/database, or ${STORE_VARIABLE}`);
  }
  const database = await Database.open({ url });
  try {
    await database.prepare({ migrate: false });
    return await work(database);
  } finally {
    await database.close();
  }
}
