import type { DatabaseSync } from "node:sqlite";
import { InfluxionError } from "../../shared/problem.ts";

/** Each brings an index from the version that is its place in the list to the next. */
const MIGRATIONS = [
  `CREATE TABLE IF NOT EXISTS sessions (
     stream TEXT NOT NULL, generation INTEGER NOT NULL,
     agent_id TEXT NOT NULL, session_id TEXT NOT NULL, file TEXT NOT NULL,
     parts INTEGER NOT NULL DEFAULT 0, lines INTEGER NOT NULL DEFAULT 0,
     accepted INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0,
     bytes INTEGER NOT NULL DEFAULT 0,
     PRIMARY KEY (stream, generation)
   ) STRICT;
   CREATE TABLE IF NOT EXISTS parts (
     idempotency_key TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL,
     stream TEXT NOT NULL, generation INTEGER NOT NULL,
     first_line INTEGER NOT NULL, lines INTEGER NOT NULL,
     accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, errors TEXT NOT NULL,
     batch_id TEXT NOT NULL, wire_bytes INTEGER NOT NULL, decoded_bytes INTEGER NOT NULL,
     received_at TEXT NOT NULL, repeats INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE TABLE IF NOT EXISTS refusals (
     code TEXT PRIMARY KEY, count INTEGER NOT NULL, last_at TEXT NOT NULL,
     last_message TEXT NOT NULL
   ) STRICT;`,
  // Before, a session's generations were numbered as they arrived, and the last was the newest.
  `ALTER TABLE sessions ADD COLUMN wire_generation INTEGER NOT NULL DEFAULT 0;
   UPDATE sessions SET wire_generation = generation;
   CREATE UNIQUE INDEX sessions_by_wire_generation ON sessions (stream, wire_generation);`,
  // Before, whose a session is was not recorded: NULL is whoever names it next.
  `ALTER TABLE sessions ADD COLUMN owner TEXT;
   ALTER TABLE sessions ADD COLUMN unnamed_after INTEGER;
   CREATE INDEX parts_by_generation ON parts (stream, generation);
   CREATE TABLE tombstones (scope TEXT PRIMARY KEY, through INTEGER NOT NULL) STRICT;`,
];

/**
 * Makes the tables of an index, or brings those of an older version up to date, whole or not at all.
 * @throws {InfluxionError} `RECEIVER_INDEX_TOO_NEW` when a newer version wrote `file`
 * @throws the error of SQLite when `file` is damaged, or not an index
 */
export function migrate(db: DatabaseSync, file: string): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version > MIGRATIONS.length) {
    throw new InfluxionError(
      "RECEIVER_INDEX_TOO_NEW",
      `${file} was written by a newer version; update, or choose another folder`,
    );
  }
  if (version === MIGRATIONS.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    if (version === 0) refuseForeignTables(db);
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** A version of 0 is also what a database of some other program has. */
function refuseForeignTables(db: DatabaseSync): void {
  const foreign = db
    .prepare(
      `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
       AND name NOT IN ('sessions', 'parts', 'refusals')`,
    )
    .get();
  if (foreign !== undefined) throw new Error("its tables are not a receiver's");
}
