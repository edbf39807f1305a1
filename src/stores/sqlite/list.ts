import { isUtf8 } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import type { Problem } from "../../shared/problem.ts";
import { isSessionId } from "../../shared/session-id.ts";
import { count } from "../../shared/text.ts";
import { namesOfKey } from "../jsonl/session-index.ts";
import type { Listing, Stream } from "../store.ts";
import type { Connection } from "./connection.ts";
import { totalsOf } from "./live.ts";
import { sourceBytes } from "./reader.ts";
import type { Shape } from "./shape.ts";
import { changedAtSql, changedTextSql, countSql } from "./values.ts";

/** Sessions one statement lists, about 2 ms. */
const PAGE_SESSIONS = 200;

/** Event-loop time one slice of reads may take, in ms. */
const SLICE_MS = 5;

/**
 * Keys of sessions the user asked the host to keep off the disk. It keeps them in
 * memory; should one ever be written, it still does not leave.
 */
const INCOGNITO = /^agent:[^:]+:[a-z-]+:incognito-/i;

/** A longer id than any is not made a string to find that out. */
const MAX_ID_BYTES = 512;

/** The size of a session as it was when it had this signature, if that is known. */
export type KnownBytes = (sessionId: string, signature: string) => number | undefined;

export interface OpenDatabase {
  readonly connection: Connection;
  readonly shape: Shape;
}

export interface ListOptions {
  readonly agentId: string;
  readonly knownBytes: KnownBytes;
  /** Also find out what sessions are called. */
  readonly needsNames: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface SessionRow {
  /** The session's id, as bytes: text may hold what no string does. */
  readonly id: Uint8Array;
  /** Numbers as text, whatever they are. */
  readonly lastSeq: string | null;
  readonly coldLastSeq: string | null;
  readonly coldBytes: number | null;
  readonly generation: string | null;
  readonly sessionKey: string | null;
  readonly changedAt: number;
  readonly changedText: string;
  /** A list of texts and of lists of them, as JSON; null when what holds it is damaged. */
  readonly names: string | null;
}

/**
 * Lists every session that has events, live, rolled over or in cold storage. Only
 * indexes and one row of metadata per session are read; the sizes of sessions
 * that `knownBytes` does not know are added up from the headers of their rows.
 */
export async function listSessions(database: OpenDatabase, options: ListOptions): Promise<Listing> {
  const { connection, shape } = database;
  const { agentId, knownBytes, signal } = options;
  const streams = new Map<string, Stream>();
  const incognito = new Set<string>();
  const listing = (badIds: number): Listing => ({
    streams: [...streams.values()],
    problems: archivedByReset(agentId, connection, shape),
    failures: badIds === 0 ? [] : [unknownIds(agentId, badIds)],
  });
  const sql = pageSql(shape, options.needsNames);
  let badIds = countOtherIds(connection, shape);
  let slice = performance.now();
  for (let after: Uint8Array = new Uint8Array(); ; ) {
    signal?.throwIfAborted();
    const page = connection.all<SessionRow>(sql, after);
    const last = page.at(-1);
    if (last === undefined) return listing(badIds);
    after = last.id;
    for (const row of page) {
      if (performance.now() - slice > SLICE_MS) {
        await setImmediate();
        signal?.throwIfAborted();
        slice = performance.now();
      }
      const sessionId = idOf(row.id);
      if (sessionId === null) {
        badIds++;
        continue;
      }
      if (INCOGNITO.test(row.sessionKey ?? "")) incognito.add(sessionId);
      if (incognito.has(sessionId)) {
        streams.delete(sessionId);
        continue;
      }
      const known = streams.get(sessionId);
      const names = options.needsNames ? namesOf(row) : NO_NAMES;
      if (known !== undefined) {
        // Two rows of metadata for one session: whatever either says, it is called.
        streams.set(sessionId, { ...known, names: [...known.names, ...names.names] });
        continue;
      }
      const seq = row.coldLastSeq ?? row.lastSeq;
      // Equal before and after a move to cold storage. The host advances the time with every write.
      const signature = `${row.generation ?? ""}:${seq}:${row.changedText}`;
      streams.set(sessionId, {
        agentId,
        sessionId,
        source: "sqlite",
        rank: "~sqlite",
        bytes:
          knownBytes(sessionId, signature) ?? (await bytesOf(sessionId, row, database, signal)),
        changedAt: row.changedAt,
        signature,
        ...names,
      });
    }
  }
}

const NO_NAMES = { names: [], namesUnknown: undefined };

function namesOf({ sessionKey, names }: SessionRow): Pick<Stream, "names" | "namesUnknown"> {
  const titles = names === null ? [] : (JSON.parse(names) as unknown[]).flat();
  const known = [
    ...(sessionKey === null ? [] : namesOfKey(sessionKey)),
    ...titles.filter((title) => typeof title === "string"),
  ];
  const namesUnknown =
    sessionKey === null
      ? "the database does not say under which key it is kept"
      : names === null
        ? "what the database says about it is damaged"
        : undefined;
  return { names: known, namesUnknown };
}

/** Null for what is no id that a host gives. */
function idOf(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_ID_BYTES || !isUtf8(bytes)) return null;
  const id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  return isSessionId(id) ? id : null;
}

async function bytesOf(
  sessionId: string,
  { coldBytes }: SessionRow,
  { connection, shape }: OpenDatabase,
  signal?: AbortSignal,
): Promise<number> {
  // The host counts a newline between events, but none after the last.
  if (coldBytes !== null) return coldBytes + 1;
  return sourceBytes(
    await totalsOf(connection, shape, sessionId, 0, Number.MAX_SAFE_INTEGER, signal),
  );
}

/** What can be no session's id: other types than text, and no text at all. These sort before and behind all text. */
function countOtherIds(connection: Connection, { cold }: Shape): number {
  const tables = ["transcript_events", ...(cold ? ["session_transcript_cold_archives"] : [])];
  const sql = tables
    .map(
      (table) =>
        `SELECT session_id AS id FROM ${table} WHERE session_id <= '' OR session_id >= x'' OR session_id IS NULL`,
    )
    .join(" UNION ");
  const row = connection.get<{ bad: number }>(`SELECT count(*) AS bad FROM (${sql})`);
  return row?.bad ?? 0;
}

/**
 * One page of sessions after an id. Stepping from id to id through the primary keys
 * costs two seeks a session however many events it has. Live and cold sessions are
 * taken from one statement, so that one on its way between the two is never missed.
 */
function pageSql(shape: Shape, needsNames: boolean): string {
  const { cold, watermarks } = shape;
  const after = "session_id > ids.id AND session_id < x''";
  const next = cold
    ? `SELECT min(id) FROM (
         SELECT min(session_id) AS id FROM transcript_events WHERE ${after}
         UNION ALL
         SELECT min(session_id) FROM session_transcript_cold_archives WHERE ${after})`
    : `SELECT min(session_id) FROM transcript_events WHERE ${after}`;
  // The first id is the one before the page.
  return `
    WITH RECURSIVE ids(id) AS (
      SELECT CAST(? AS TEXT)
      UNION ALL
      SELECT (${next}) FROM ids WHERE ids.id IS NOT NULL
      LIMIT ${PAGE_SESSIONS} OFFSET 1)
    SELECT CAST(ids.id AS BLOB) AS id,
           CAST((SELECT max(seq) FROM transcript_events WHERE session_id = ids.id) AS TEXT) AS lastSeq,
           ${cold ? "CAST(c.last_seq AS TEXT)" : "NULL"} AS coldLastSeq,
           ${cold ? countSql("c.raw_bytes") : "NULL"} AS coldBytes,
           ${watermarks ? "CAST(g.generation AS TEXT)" : "NULL"} AS generation,
           CAST(w.session_key AS TEXT) AS sessionKey,
           ${changedAtSql("w")} AS changedAt,
           ${changedTextSql("w")} AS changedText,
           ${needsNames ? namesSql(shape) : "NULL"} AS names
    FROM ids
    LEFT JOIN session_windows AS w ON w.session_id = ids.id
    ${needsNames && shape.nodeNames.length > 0 ? "LEFT JOIN session_nodes AS n ON n.session_key = w.session_key" : ""}
    ${watermarks ? "LEFT JOIN transcript_rewrite_watermarks AS g ON g.session_id = ids.id" : ""}
    ${cold ? "LEFT JOIN session_transcript_cold_archives AS c ON c.session_id = ids.id" : ""}
    WHERE ids.id IS NOT NULL`;
}

/** Where the host keeps titles within the JSON of a session's entry. */
const TITLES = ["label", "displayName", "subject", "groupChannel", "space", "origin.label"]
  .map((path) => `'$.${path}'`)
  .join(", ");

function namesSql({ nodeNames, windowNames }: Shape): string {
  const columns = [
    ...windowNames.map((column) => `w.${column}`),
    ...nodeNames.filter((column) => column !== "entry_json").map((column) => `n.${column}`),
  ];
  const texts = `json_array(${columns.map((column) => `CAST(${column} AS TEXT)`).join(", ")})`;
  if (!nodeNames.includes("entry_json")) return texts;
  return `CASE
    WHEN n.entry_json IS NULL THEN ${texts}
    WHEN typeof(n.entry_json) = 'text' AND json_valid(n.entry_json)
      THEN json_array(${[...columns.map((column) => `CAST(${column} AS TEXT)`), `json_extract(n.entry_json, ${TITLES})`].join(", ")})
    END`;
}

function unknownIds(agentId: string, bad: number): Problem {
  return {
    code: "SESSION_IDS",
    agentId,
    message: `${count(bad, "session")} in its database ${bad === 1 ? "has an id" : "have ids"} of a form that is not understood; nothing of ${bad === 1 ? "it" : "them"} is sent. Run "openclaw doctor"`,
  };
}

/**
 * The schema allows archives of sessions that a reset ended, but no host from
 * 2026.8.1 to 2026.9.6 writes one: `/reset` leaves the rows in place, and what is
 * archived was deleted, by the user or by the disk budget, and never leaves.
 * Should one appear, it is shown, since nothing of it can be sent.
 */
function archivedByReset(agentId: string, connection: Connection, shape: Shape): Problem[] {
  if (!shape.archives) return [];
  const row = connection.get<{ count: number }>(
    "SELECT count(*) AS count FROM session_transcript_archives WHERE reason = 'reset'",
  );
  if (row === undefined || row.count === 0) return [];
  return [
    {
      code: "RESET_ARCHIVES",
      agentId,
      message: `${row.count === 1 ? "1 transcript was" : `${row.count} transcripts were`} archived by a reset in a way no known version of OpenClaw does; what had not been uploaded of them before is not sent. Please report this with the version of OpenClaw`,
    },
  ];
}
