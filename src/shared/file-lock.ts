import type { BigIntStats } from "node:fs";
import { access, chmod, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { NotAFileError, regularStats } from "./open-file.ts";
import { errnoOf, InfluxionError } from "./problem.ts";
import { loadSqlite, sqliteCodeOf } from "./sqlite.ts";

/** Somebody else has a lock on the file (https://sqlite.org/rescode.html#busy). */
const SQLITE_BUSY = 5;

/** So often a file is opened again because another one was put in its place meanwhile. */
const MAX_ATTEMPTS = 5;

/** An exclusive lock on a file. It is released when this object is disposed, garbage, or gone with its thread. */
export interface FileLock extends Disposable {
  /** Whether the file at the path is still the one that is locked; false also where that cannot be determined. */
  isInPlace(): Promise<boolean>;
}

/**
 * Takes an exclusive lock on a file, which is made when there is none; null when somebody else has
 * it, in this process or in another one, or asks or tries in the same instant. Does not wait.
 *
 * An open SQLite transaction is a lock that the kernel releases with its owner, however that ends
 * and whatever container it lives in; time plays no part. The file stays empty. So the lock needs
 * no space, leaves nothing half-written behind, and SQLite opens no journal beside it.
 *
 * Never open the file by other means, not even to read it: closing any descriptor of a file drops
 * all locks that the process has on it (fcntl_locking(2)).
 *
 * @throws {InfluxionError} `NOT_A_LOCK` for what else is at the path, `NO_LOCK` where locking fails
 * @throws the `ErrnoException` for which the file cannot be made or opened
 */
export async function tryLockFile(path: string): Promise<FileLock | null> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = await emptyFile(path);
    const db = await openLocked(path);
    if (db === null) return null;
    // Which file was opened is known only by what was there before and is there after.
    const after = await regularStats(path).catch(() => null);
    if (before !== null && after !== null && isUnchanged(before, after)) {
      return new LockedFile(path, after, db);
    }
    db.close();
    if (before === null) await chmod(path, 0o600).catch(() => undefined);
  }
  throw new InfluxionError("NO_LOCK", `${path} is replaced again and again; find out by what`);
}

/**
 * Whether somebody has the lock on a file now, see {@link tryLockFile}. Makes nothing. Others may ask
 * in the same instant. False also where that cannot be determined.
 */
export async function isFileLocked(path: string): Promise<boolean> {
  let db: DatabaseSync | undefined;
  try {
    if ((await emptyFile(path)) === null) return false;
    db = new (loadSqlite().DatabaseSync)(path, { readOnly: true, timeout: 0 });
    db.exec("PRAGMA schema_version");
    return false;
  } catch (error) {
    return sqliteCodeOf(error) === SQLITE_BUSY;
  } finally {
    db?.close();
  }
}

class LockedFile implements FileLock {
  readonly #path: string;
  readonly #stats: BigIntStats;
  readonly #db: DatabaseSync;

  constructor(path: string, stats: BigIntStats, db: DatabaseSync) {
    this.#path = path;
    this.#stats = stats;
    this.#db = db;
  }

  async isInPlace(): Promise<boolean> {
    if (!this.#db.isOpen) return false;
    try {
      return isSameFile(this.#stats, await regularStats(this.#path));
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

async function openLocked(path: string): Promise<DatabaseSync | null> {
  let db: DatabaseSync | undefined;
  try {
    db = new (loadSqlite().DatabaseSync)(path, { timeout: 0 });
    // A journal in memory, since the one of an empty database is made before anything is written.
    // A file that may only be read is opened for that, and BEGIN takes a lock that others share; so
    // a write is asked for, which then fails. It stays in memory, the transaction never being committed.
    db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 0");
    return db;
  } catch (error) {
    db?.close();
    if (sqliteCodeOf(error) === SQLITE_BUSY) return null;
    throw await reasonOf(error, path);
  }
}

/** `lstat` of an empty file, or null when there is none. */
async function emptyFile(path: string): Promise<BigIntStats | null> {
  try {
    const stats = await regularStats(path);
    if (stats.size === 0n) return stats;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    if (!(error instanceof NotAFileError)) throw error;
    throw new InfluxionError("NOT_A_LOCK", `${error.message}; move it away`, { cause: error });
  }
  // Whoever deletes it while it is locked makes two owners: that is left to a person who knows.
  throw new InfluxionError(
    "NOT_A_LOCK",
    `${path} is not empty, and nothing belongs into it; delete it while nothing uses it`,
  );
}

/** While a file is open, its number is given to no other. */
function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** For a file that was not open meanwhile: one that was made since can have its number, but not its times. */
function isUnchanged(a: BigIntStats, b: BigIntStats): boolean {
  return isSameFile(a, b) && a.birthtimeNs === b.birthtimeNs && a.ctimeNs === b.ctimeNs;
}

/** SQLite says that it cannot open a file; the system says why. */
async function reasonOf(error: unknown, path: string): Promise<unknown> {
  if (sqliteCodeOf(error) === null) return error;
  const { R_OK, W_OK, X_OK } = constants;
  try {
    await access(dirname(path), W_OK | X_OK);
    await access(path, R_OK | W_OK);
  } catch (reason) {
    if (errnoOf(reason) !== "ENOENT") return reason;
  }
  const cause = error instanceof Error ? error.message : String(error);
  return new InfluxionError(
    "NO_LOCK",
    `${path} cannot be locked (${cause}); see whether its file system has locks, and remove what begins with its name`,
    { cause: error },
  );
}
