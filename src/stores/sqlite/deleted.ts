import { isSessionId } from "../../shared/session-id.ts";
import type { OpenDatabase } from "./list.ts";
import { textSql, timeSql } from "./values.ts";

const DELETED_SQL = `
  SELECT ${textSql("session_id")} AS id, max(${timeSql("created_at")}) AS at
  FROM session_transcript_archives WHERE reason = 'deleted' GROUP BY session_id`;

/** The sessions that the host has archived because they were deleted, and when last, in ms since the epoch. */
export function deletedSessions({ connection, shape }: OpenDatabase): Map<string, number> {
  const rows = shape.archives
    ? connection.all<{ id: string | null; at: number | null }>(DELETED_SQL)
    : [];
  return new Map(
    rows.flatMap(({ id, at }) =>
      id !== null && at !== null && isSessionId(id) ? [[id, at] as const] : [],
    ),
  );
}
