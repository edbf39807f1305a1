import { StoreError } from "../../shared/problem.ts";
import type { Connection } from "./connection.ts";

/** Which of the optional tables and columns a database has. */
export interface Shape {
  /** Events may be compressed (since agent schema 20). */
  readonly zstd: boolean;
  /** Rewrites of a transcript are marked with a new generation. */
  readonly watermarks: boolean;
  /** Sessions may have moved to cold storage (since agent schema 20). */
  readonly cold: boolean;
  /** The host records which sessions it has deleted. */
  readonly archives: boolean;
  /** Columns of `session_nodes` that say what a session is called, besides its key and entry; null without these. */
  readonly nodeNames: readonly string[] | null;
  /** Windows have titles. */
  readonly windowTitles: boolean;
  /** Windows say what kind of session they are of. */
  readonly windowKinds: boolean;
  /** Windows and events say when they were made. */
  readonly startTimes: boolean;
}

const EVENTS = "transcript_events";

/** Columns a table must have. Those of an optional table only if the table is there. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  [EVENTS]: ["session_id", "seq", "event_json"],
  session_windows: ["session_id", "session_key", "transcript_updated_at", "updated_at"],
  transcript_rewrite_watermarks: ["session_id", "generation"],
  session_transcript_cold_archives: [
    "session_id",
    "generation",
    "archive_name",
    "archive_sha256",
    "event_count",
    "raw_bytes",
    "last_seq",
    "storage",
    "archive_blob",
  ],
};
const MANDATORY = [EVENTS, "session_windows"];

/** Where hosts keep sessions that were deleted or reset, and what is read of that. */
const ARCHIVES = "session_transcript_archives";
const ARCHIVE_COLUMNS = ["session_id", "reason", "created_at"];

/** Where hosts keep what a session is called besides its key. */
const NODES = "session_nodes";
const NODE_NAMES = ["label", "display_name"];

/**
 * Looks at tables and columns, never at a version number: the schema went from 1
 * to 23 within months, mostly without touching what is read here.
 *
 * @throws {StoreError} `DB_SHAPE`, naming what is missing.
 */
export function probeShape(connection: Connection): Shape {
  const tables = columnsOf(connection, [...Object.keys(REQUIRED), NODES, ARCHIVES]);
  const missing: string[] = [];
  for (const [table, columns] of Object.entries(REQUIRED)) {
    const found = tables.get(table);
    if (found === undefined) {
      if (MANDATORY.includes(table)) missing.push(`table ${table}`);
      continue;
    }
    for (const column of columns) {
      if (!found.has(column)) missing.push(`column ${table}.${column}`);
    }
  }
  const zstd = tables.get(EVENTS)?.has("event_zstd") === true;
  // The host keeps a compressed event's length there; without it nothing can be planned.
  if (zstd && tables.get(EVENTS)?.has("event_utf8_bytes") !== true) {
    missing.push(`column ${EVENTS}.event_utf8_bytes`);
  }
  const encoding = connection.get<{ encoding: string }>("PRAGMA encoding")?.encoding;
  if (encoding !== "UTF-8") missing.push(`text encoding UTF-8 (it is ${encoding})`);
  if (missing.length > 0) {
    throw new StoreError(
      "DB_SHAPE",
      `${connection.label} lacks ${missing.join(", ")}. This version of influxion knows the agent databases of OpenClaw 2026.8.1 to 2026.9.6 (schema 19 to 23); nothing of this agent is sent until influxion is updated`,
    );
  }
  const nodes = tables.get(NODES);
  const windows = tables.get("session_windows");
  return {
    zstd,
    watermarks: tables.has("transcript_rewrite_watermarks"),
    cold: tables.has("session_transcript_cold_archives"),
    archives: ARCHIVE_COLUMNS.every((column) => tables.get(ARCHIVES)?.has(column) === true),
    nodeNames:
      nodes?.has("session_key") && nodes.has("entry_json")
        ? NODE_NAMES.filter((column) => nodes.has(column))
        : null,
    windowTitles: windows?.has("display_name") === true,
    windowKinds: windows?.has("chat_type") === true && windows.has("spawned_by"),
    startTimes:
      windows?.has("created_at") === true && tables.get(EVENTS)?.has("created_at") === true,
  };
}

/**
 * Whether a database has, or may have, transcripts: tables or views named like those a host
 * keeps them in, also a newer one. 2026.7.35 gives the same file name to a database with
 * credentials, caches, a memory index and `schema_meta`, which has none of these.
 */
export function holdsTranscripts(connection: Connection): boolean {
  const row = connection.get(
    `SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view')
     AND (name LIKE 'transcript%' OR name LIKE 'session%' OR name LIKE 'conversation%') LIMIT 1`,
  );
  return row !== undefined;
}

/** Columns by table, for those of `tables` that exist. */
export function columnsOf(
  connection: Connection,
  tables: readonly string[],
): Map<string, Set<string>> {
  const rows = connection.all<{ table: string; column: string }>(
    `SELECT m.name AS "table", c.name AS "column"
     FROM sqlite_master AS m, pragma_table_info(m.name) AS c
     WHERE m.type = 'table' AND m.name IN (${tables.map(() => "?").join(", ")})`,
    ...tables,
  );
  const found = new Map<string, Set<string>>();
  for (const { table, column } of rows) {
    const columns = found.get(table) ?? new Set();
    found.set(table, columns.add(column));
  }
  return found;
}
