import { setImmediate } from "node:timers/promises";
import type { Problem } from "../../problem.ts";
import type { Listing, Stream } from "../store.ts";
import type { Connection } from "./connection.ts";
import { totalsOf } from "./live.ts";
import { sourceBytes } from "./reader.ts";
import type { Shape } from "./shape.ts";

/** Sessions one statement lists, about 2 ms. */
const PAGE_SESSIONS = 200;

/** Event-loop time one slice of reads may take, in ms. */
const SLICE_MS = 5;

/**
 * Keys of sessions the user asked the host to keep off the disk. It keeps them in
 * memory; should one ever be written, it still does not leave.
 */
const INCOGNITO = /^agent:[^:]+:[a-z-]+:incognito-/i;

/** The size of a session as it was when it had this signature, if that is known. */
export type KnownBytes = (sessionId: string, signature: string) => number | undefined;

export interface OpenDatabase {
  readonly connection: Connection;
  readonly shape: Shape;
}

interface SessionRow {
  readonly sessionId: string;
  readonly lastSeq: number | null;
  readonly coldLastSeq: number | null;
  readonly coldBytes: number | null;
  readonly generation: string | null;
  readonly sessionKey: string | null;
  readonly changedAt: number;
}

/**
 * Lists every session that has events, live, rolled over or in cold storage. Only
 * indexes and one row of metadata per session are read; the sizes of sessions
 * that `knownBytes` does not know are added up from the headers of their rows.
 */
export async function listSessions(
  agentId: string,
  { connection, shape }: OpenDatabase,
  knownBytes: KnownBytes,
  signal?: AbortSignal,
): Promise<Listing> {
  const streams: Stream[] = [];
  const problems = archivedByReset(agentId, connection, shape);
  const sql = pageSql(shape);
  let slice = performance.now();
  for (let after = ""; ; ) {
    signal?.throwIfAborted();
    const page = connection.all<SessionRow>(sql, after);
    const last = page.at(-1);
    if (last === undefined) return { streams, problems };
    after = last.sessionId;
    for (const row of page) {
      if (performance.now() - slice > SLICE_MS) {
        await setImmediate();
        signal?.throwIfAborted();
        slice = performance.now();
      }
      if (INCOGNITO.test(row.sessionKey ?? "")) continue;
      const seq = row.coldLastSeq ?? row.lastSeq;
      // Equal before and after a move to cold storage. The host advances changedAt with every write.
      const signature = `${row.generation ?? ""}:${seq}:${row.changedAt}`;
      streams.push({
        agentId,
        sessionId: row.sessionId,
        source: "sqlite",
        rank: "~sqlite",
        bytes:
          knownBytes(row.sessionId, signature) ?? (await bytesOf(row, connection, shape, signal)),
        changedAt: row.changedAt,
        signature,
      });
    }
  }
}

async function bytesOf(
  { sessionId, coldBytes }: SessionRow,
  connection: Connection,
  shape: Shape,
  signal?: AbortSignal,
): Promise<number> {
  // The host counts a newline between events, but none after the last.
  if (coldBytes !== null) return coldBytes + 1;
  return sourceBytes(
    await totalsOf(connection, shape, sessionId, 0, Number.MAX_SAFE_INTEGER, signal),
  );
}

/**
 * One page of sessions after an id. Stepping from id to id through the primary keys
 * costs two seeks a session however many events it has. Live and cold sessions are
 * taken from one statement, so that one on its way between the two is never missed.
 */
function pageSql({ cold, watermarks }: Shape): string {
  const next = cold
    ? `SELECT min(id) FROM (
         SELECT min(session_id) AS id FROM transcript_events WHERE session_id > ids.id
         UNION ALL
         SELECT min(session_id) FROM session_transcript_cold_archives WHERE session_id > ids.id)`
    : "SELECT min(session_id) FROM transcript_events WHERE session_id > ids.id";
  // The first id is the one before the page.
  return `
    WITH RECURSIVE ids(id) AS (
      SELECT ?
      UNION ALL
      SELECT (${next}) FROM ids WHERE ids.id IS NOT NULL
      LIMIT ${PAGE_SESSIONS} OFFSET 1)
    SELECT ids.id AS sessionId,
           (SELECT max(seq) FROM transcript_events WHERE session_id = ids.id) AS lastSeq,
           ${cold ? "c.last_seq" : "NULL"} AS coldLastSeq,
           ${cold ? "c.raw_bytes" : "NULL"} AS coldBytes,
           ${watermarks ? "g.generation" : "NULL"} AS generation,
           w.session_key AS sessionKey,
           coalesce(w.transcript_updated_at, w.updated_at, 0) AS changedAt
    FROM ids
    LEFT JOIN session_windows AS w ON w.session_id = ids.id
    ${watermarks ? "LEFT JOIN transcript_rewrite_watermarks AS g ON g.session_id = ids.id" : ""}
    ${cold ? "LEFT JOIN session_transcript_cold_archives AS c ON c.session_id = ids.id" : ""}
    WHERE ids.id IS NOT NULL`;
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
