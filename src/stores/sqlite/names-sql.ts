import type { PageSql } from "./page-sql.ts";
import { rawTextSql } from "./values.ts";

/** Keys one statement reads, about 2 ms. */
const PAGE_KEYS = 100;

/**
 * Where the host keeps titles, kinds, and ids of earlier sessions, within the JSON of an entry. Of a
 * member that is there twice both are taken: the host's statements read the first, its code the last.
 */
const FACTS_SQL = `
  SELECT json_group_array(json_array(what, type, atom)) FROM (
    SELECT t.type, t.atom, CASE
        WHEN e.key IN ('chatType', 'spawnedBy', 'heartbeatIsolatedBaseSessionKey', 'createdVia')
          THEN CASE WHEN t.fullkey = '$' THEN e.key END
        WHEN e.key IN ('label', 'displayName', 'subject', 'groupChannel', 'space')
          THEN CASE WHEN t.fullkey = '$' THEN CASE e.key WHEN 'label' THEN e.key ELSE 'title' END END
        WHEN e.key = 'origin' AND t.fullkey = '$' THEN 'holder'
        WHEN e.key = 'origin' AND t.path = '$' AND t.key = 'label' THEN 'title'
        WHEN e.key = 'origin' OR t.type <> 'text' THEN NULL
        WHEN e.key <> 'compactionCheckpoints' OR t.key IN ('sessionId', 'sessionFile') THEN 'id'
      END AS what
    FROM json_each(n.entry_json) AS e,
         json_tree(CASE WHEN e.type IN ('array', 'object') THEN e.value ELSE json_quote(e.value) END) AS t
    WHERE e.key IN ('chatType', 'spawnedBy', 'heartbeatIsolatedBaseSessionKey', 'createdVia',
      'label', 'displayName', 'subject', 'groupChannel', 'space', 'origin',
      'sessionId', 'sessionFile', 'previousSessionId', 'usageFamilySessionIds', 'compactionCheckpoints'))
  WHERE what IS NOT NULL`;

/**
 * One page of what the host keeps under keys after one of them, as the primary key has them. What is no text comes
 * before or behind all text, and is no key.
 * @param nodeNames see `Shape`
 */
export function nodePageSql(nodeNames: readonly string[]): PageSql {
  const column = (name: string): string =>
    nodeNames.includes(name) ? rawTextSql(`n.${name}`) : "NULL";
  const sql = `
    SELECT CAST(n.session_key AS BLOB) AS key,
           ${column("label")} AS label, ${column("display_name")} AS displayName,
           CASE WHEN typeof(n.entry_json) = 'text' AND json_valid(n.entry_json)
             THEN CASE json_type(n.entry_json) WHEN 'object' THEN CAST((${FACTS_SQL}) AS BLOB) END
           END AS facts
    FROM session_nodes AS n WHERE session_key > CAST(? AS TEXT) AND session_key < x''
    ORDER BY session_key LIMIT ${PAGE_KEYS}`;
  return { sql, columns: ["key", "label", "displayName", "facts"] };
}
