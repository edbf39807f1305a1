import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { InfluxionError } from "../problem.ts";

/**
 * Keeps a second receiver out of the folder; returns how to let go. An open SQLite
 * transaction is a lock that the operating system drops with the process, however
 * it ends. It is not on the index itself, which others may read meanwhile.
 *
 * @throws {InfluxionError} `RECEIVER_DIR_IN_USE`
 */
export function lockFolder(dir: string): () => void {
  const db = new DatabaseSync(join(dir, "lock.sqlite"));
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw new InfluxionError(
      "RECEIVER_DIR_IN_USE",
      `another receiver stores into ${dir}; stop it, or choose another folder`,
      { cause: error },
    );
  }
  return () => db.close();
}
