import { InfluxionError } from "./problem.ts";

/** Node's SQLite, see {@link loadSqlite}. */
export type Sqlite = typeof import("node:sqlite");

/**
 * Node's SQLite, loaded with the first use: most processes that load the plugin never need it.
 * Node 22 warns in each thread that loads it that it is experimental. That belongs neither
 * into a user's terminal nor into the Gateway's log, so this one warning is dropped.
 *
 * @throws {InfluxionError} `NO_SQLITE` when Node was built or started without it
 */
export function loadSqlite(): Sqlite {
  const { emitWarning } = process;
  // Loading is synchronous: nobody else can emit a warning meanwhile.
  process.emitWarning = (...args: unknown[]) => {
    if (!isSqliteExperimental(args)) Reflect.apply(emitWarning, process, args);
  };
  try {
    const sqlite: Sqlite | undefined = process.getBuiltinModule("node:sqlite");
    if (sqlite !== undefined) return sqlite;
  } finally {
    process.emitWarning = emitWarning;
  }
  throw new InfluxionError(
    "NO_SQLITE",
    "this Node has no SQLite (node:sqlite), which uploads need; start OpenClaw without --no-experimental-sqlite, or with another build of Node",
  );
}

function isSqliteExperimental([warning, type]: readonly unknown[]): boolean {
  return type === "ExperimentalWarning" && String(warning).startsWith("SQLite is an experimental");
}

/** The primary result code (https://sqlite.org/rescode.html) of a failure of SQLite; null for any other. */
export function sqliteCodeOf(error: unknown): number | null {
  if (!(error instanceof Error && "errcode" in error)) return null;
  // Extended codes have the primary one in their lowest byte.
  return typeof error.errcode === "number" ? error.errcode & 0xff : null;
}
