import type { BigIntStats } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { NotAFileError, regularStatsSync } from "../../shared/open-file.ts";
import { errnoOf, SourceChangedError, StoreError } from "../../shared/problem.ts";
import { loadSqlite } from "../../shared/sqlite.ts";

/** Primary result codes of SQLite, https://sqlite.org/rescode.html */
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_PROTOCOL = 15;
const SQLITE_NOTADB = 26;

/** The smallest page of a database; there is none without one. */
const MIN_BYTES = 512n;

/** Files that SQLite opens beside a database, if they are there. */
const BESIDE = ["-wal", "-shm", "-journal"];

/** There is no such file. */
export class DatabaseMissingError extends StoreError {
  constructor(message: string) {
    super("DB_MISSING", message);
  }
}

/** Another program has locked it. */
export class DatabaseBusyError extends StoreError {
  constructor(message: string, options?: ErrorOptions) {
    super("DB_BUSY", message, options);
  }
}

/**
 * One read-only connection. Every read runs to its end within one synchronous
 * call, so that no read transaction is ever open while something is awaited: an
 * open one holds up the checkpoints of the host's write-ahead log.
 */
export class Connection {
  /** What messages call it, e.g. `the database of agent main`. */
  readonly label: string;
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws {StoreError} `DB_MISSING`, `DB_EMPTY`, `DB_UNREADABLE` or `DB_BUSY`. */
  static async open(path: string, label: string): Promise<Connection> {
    const stats = statsOf(path, label);
    if (stats === null) {
      throw new DatabaseMissingError(`${label} is gone: ${path}`);
    }
    // SQLite itself takes such a file for an empty database.
    if (stats.size < MIN_BYTES) {
      const size = stats.size === 0n ? "zero bytes" : "fewer bytes than any database";
      throw new StoreError(
        "DB_EMPTY",
        `${label} has ${size}, as a power failure leaves it: ${path}; restore it from a backup, or remove it if nothing was in it`,
      );
    }
    // SQLite would wait for the other end of a FIFO, and with it whoever called it.
    for (const suffix of BESIDE) statsOf(path + suffix, label);
    const { DatabaseSync } = loadSqlite();
    try {
      // No waiting for locks: SQLite would wait by blocking the Gateway's event loop.
      const db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
      return new Connection(db, path, label, identityOf(stats));
    } catch (error) {
      throw storeErrorOf(error, path, label);
    }
  }

  private constructor(db: DatabaseSync, path: string, label: string, file: string) {
    this.#db = db;
    this.#path = path;
    this.label = label;
    this.#file = file;
  }

  /** All rows of one statement, which is finished when this returns. */
  all<Row>(sql: string, ...parameters: SQLInputValue[]): Row[] {
    this.#assertOpen();
    try {
      return this.#prepare(sql).all(...parameters) as Row[];
    } catch (error) {
      throw storeErrorOf(error, this.#path, this.label);
    }
  }

  get<Row>(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.all<Row>(sql, ...parameters)[0];
  }

  /** Several statements that see one state of the database. */
  snapshot<T>(read: () => T): T {
    this.#run("BEGIN");
    try {
      return read();
    } finally {
      // Some failures end the transaction by themselves.
      if (this.#db.isTransaction) this.#run("ROLLBACK");
    }
  }

  /** @throws {SourceChangedError} when the file was deleted or replaced: SQLite goes on reading the old one. */
  assertInPlace(): void {
    if (this.isInPlace()) return;
    throw new SourceChangedError(`${this.label} was removed or replaced while it was read`);
  }

  isInPlace(): boolean {
    const stats = statsOf(this.#path, this.label);
    return stats !== null && identityOf(stats) === this.#file;
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #run(sql: string): void {
    this.#assertOpen();
    try {
      this.#db.exec(sql);
    } catch (error) {
      throw storeErrorOf(error, this.#path, this.label);
    }
  }

  /** A scan that found the file replaced closes the connection under readers that were opened before. */
  #assertOpen(): void {
    if (this.#db.isOpen) return;
    throw new SourceChangedError(`${this.label} was replaced or closed while it was read`);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Null when there is no such file. @throws {StoreError} `DB_UNREADABLE`, also for what is no regular file */
function statsOf(path: string, label: string): BigIntStats | null {
  try {
    return regularStatsSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    if (error instanceof NotAFileError) {
      const message = `${label} cannot be read: ${error.message}`;
      throw new StoreError("DB_UNREADABLE", message, { cause: error });
    }
    throw unreadable(error, errnoOf(error) || String(error), path, label);
  }
}

/** What distinguishes one file from another of the same name. */
function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function storeErrorOf(error: unknown, path: string, label: string): StoreError {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") {
    // The driver's own: a number above 2^53, or a text that no string can hold.
    return new StoreError(
      "DB_VALUE",
      `${label} holds a value that no version of OpenClaw writes: ${path}; run "openclaw doctor" or restore it from a backup`,
      { cause: error },
    );
  }
  // Extended codes keep the primary one in the low byte.
  switch (error.errcode & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return new DatabaseBusyError(
        `${label} is locked by another program (${error.message}); it is read again in the next run`,
        { cause: error },
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new StoreError(
        "DB_DAMAGED",
        `${label} is damaged (${error.message}): ${path}; run "openclaw doctor" or restore it from a backup`,
        { cause: error },
      );
    case SQLITE_ERROR:
      return new StoreError(
        "DB_SHAPE",
        `${label} is not understood (${error.message}); update influxion, or report this with the version of OpenClaw`,
        { cause: error },
      );
    default:
      return unreadable(error, error.message, path, label);
  }
}

function unreadable(error: unknown, reason: string, path: string, label: string): StoreError {
  return new StoreError(
    "DB_UNREADABLE",
    `${label} cannot be read (${reason}): ${path}; give the user that runs OpenClaw access to it and to its folder`,
    { cause: error },
  );
}
