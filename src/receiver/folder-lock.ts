import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { InfluxionError } from "../problem.ts";

/** Somebody else has the lock (https://sqlite.org/rescode.html#busy). */
const SQLITE_BUSY = 5;

/**
 * Keeps a second receiver out of the folder; returns how to let go. An open SQLite
 * transaction is a lock that the operating system drops with the process, however
 * it ends. It is not on the index itself, which others may read meanwhile.
 *
 * @throws {InfluxionError} `RECEIVER_DIR_IN_USE`, `RECEIVER_DAMAGED`
 */
export function lockFolder(dir: string): () => void {
  const path = join(dir, "lock.sqlite");
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db?.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) {
      throw new InfluxionError(
        "RECEIVER_DIR_IN_USE",
        `another receiver stores into ${dir}; stop it, or choose another folder`,
        { cause: error },
      );
    }
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `${path} is damaged (${messageOf(error)}); delete it when no receiver is running`,
      { cause: error },
    );
  }
  const locked = db;
  return () => locked.close();
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
