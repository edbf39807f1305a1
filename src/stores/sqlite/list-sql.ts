import type { PageSql } from "./page-sql.ts";
import type { Shape } from "./shape.ts";
import { changedAtSql, changedTextSql, countSql, rawTextSql, timeSql } from "./values.ts";

/** Sessions one statement lists, about 2 ms. */
const PAGE_SESSIONS = 200;

/** Events that are looked at for when a session began: behind its header come those that a fork copies. */
const FIRST_EVENTS = 3;

/** For what the database does not have, or nobody asks for. */
const NULL = "NULL";

/** What is asked of sessions besides what there are and when they changed. */
export interface SessionNeeds {
  /** What they are called. */
  readonly needsNames: boolean;
  /** When they began. */
  readonly needsStart: boolean;
}

/**
 * One page of sessions after an id. Stepping from id to id through the primary keys
 * costs two seeks a session however many events it has. Live and cold sessions are
 * taken from one statement, so that one on its way between the two is never missed.
 */
export function sessionPageSql(shape: Shape, needs: SessionNeeds): PageSql {
  const { cold, watermarks } = shape;
  const columns = Object.entries(columnsSql(shape, needs));
  const after = "session_id > ids.id AND session_id < x''";
  const next = cold
    ? `SELECT min(id) FROM (
         SELECT min(session_id) AS id FROM transcript_events WHERE ${after}
         UNION ALL
         SELECT min(session_id) FROM session_transcript_cold_archives WHERE ${after})`
    : `SELECT min(session_id) FROM transcript_events WHERE ${after}`;
  // The first id is the one before the page.
  const sql = `
    WITH RECURSIVE ids(id) AS (
      SELECT CAST(? AS TEXT)
      UNION ALL
      SELECT (${next}) FROM ids WHERE ids.id IS NOT NULL
      LIMIT ${PAGE_SESSIONS} OFFSET 1)
    SELECT ${columns.map(([name, value]) => `${value} AS ${name}`).join(", ")}
    FROM ids
    LEFT JOIN session_windows AS w ON w.session_id = ids.id
    ${watermarks ? "LEFT JOIN transcript_rewrite_watermarks AS g ON g.session_id = ids.id" : ""}
    ${cold ? "LEFT JOIN session_transcript_cold_archives AS c ON c.session_id = ids.id" : ""}
    WHERE ids.id IS NOT NULL`;
  const given = columns.filter(([, value]) => value !== NULL);
  return { sql, columns: given.map(([name]) => name) };
}

function columnsSql(
  { cold, watermarks, windowTitles, windowKinds, startTimes }: Shape,
  { needsNames, needsStart }: SessionNeeds,
): Record<string, string> {
  const only = (isThere: boolean, value: string): string => (isThere ? value : NULL);
  return {
    id: "CAST(ids.id AS BLOB)",
    lastSeq: "CAST((SELECT max(seq) FROM transcript_events WHERE session_id = ids.id) AS TEXT)",
    coldLastSeq: only(cold, "CAST(c.last_seq AS TEXT)"),
    coldBytes: only(cold, countSql("c.raw_bytes")),
    generation: only(watermarks, "CAST(g.generation AS TEXT)"),
    keyText: "CAST(w.session_key AS TEXT)",
    key: only(needsNames, rawTextSql("w.session_key")),
    title: only(needsNames && windowTitles, rawTextSql("w.display_name")),
    chatType: only(needsNames && windowKinds, rawTextSql("w.chat_type")),
    spawnedBy: only(needsNames && windowKinds, rawTextSql("w.spawned_by")),
    startTime: only(needsStart && startTimes, START_SQL),
    changedAt: changedAtSql("w"),
    changedText: changedTextSql("w"),
  };
}

/** How many ids can be no session's: other types than text, and no text at all. These sort before and behind all text. */
export function otherIdsSql({ cold }: Shape): string {
  const tables = ["transcript_events", ...(cold ? ["session_transcript_cold_archives"] : [])];
  const ids = tables.map(
    (table) =>
      `SELECT session_id AS id FROM ${table} WHERE session_id <= '' OR session_id >= x'' OR session_id IS NULL`,
  );
  return `SELECT count(*) AS bad FROM (${ids.join(" UNION ")})`;
}

/** When the host made a session. */
const MADE_SQL = timeSql("w.created_at");

/** The same for its first events. */
const FIRST_SQL = `
  SELECT min(made) FROM (SELECT ${timeSql("created_at")} AS made FROM transcript_events
    WHERE session_id = ids.id ORDER BY seq LIMIT ${FIRST_EVENTS})`;

/** The earlier of both; NULL without the first, and the first alone where events are in cold storage. */
const START_SQL = `min(${MADE_SQL}, coalesce((${FIRST_SQL}), ${MADE_SQL}))`;
