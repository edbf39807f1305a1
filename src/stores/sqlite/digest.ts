import { createHash, type Hash } from "node:crypto";
import { Connection } from "./connection.ts";
import { deletedSessions } from "./deleted.ts";
import { otherIdsSql, type SessionNeeds, sessionPageSql } from "./list-sql.ts";
import { nodePageSql } from "./names-sql.ts";
import { joinedPageSql, type PageSql } from "./page-sql.ts";
import { holdsTranscripts, probeShape } from "./shape.ts";

/** What a run asks of an agent's database, by its config. */
export interface DatabaseNeeds extends SessionNeeds {
  /** Which sessions were deleted. */
  readonly needsDeleted: boolean;
}

/** Of a database in which no agent keeps transcripts. */
const NO_TRANSCRIPTS = "no transcripts";

/**
 * Equal between two reads only if a run would list the same in an agent's database: what its statements give is
 * put together by SQLite itself, in half the CPU that a listing takes. What the sizes of sessions are added up from is
 * left out: it does not change without the time, the generation or the last number of the session.
 *
 * @throws {Error} when the database cannot be read as a whole
 */
export async function digestDatabase(
  path: string,
  { needsDeleted, ...needs }: DatabaseNeeds,
): Promise<string> {
  const connection = await Connection.open(path, "the database of an agent");
  try {
    if (!holdsTranscripts(connection)) return NO_TRANSCRIPTS;
    const shape = probeShape(connection);
    const hash = createHash("sha256");
    hash.update(JSON.stringify([shape, connection.get(otherIdsSql(shape))]));
    addPages(hash, connection, sessionPageSql(shape, needs));
    if (needs.needsNames && shape.nodeNames !== null) {
      addPages(hash.update("names"), connection, nodePageSql(shape.nodeNames));
    }
    const deleted = needsDeleted ? deletedSessions({ connection, shape }) : [];
    return hash.update(JSON.stringify([...deleted])).digest("hex");
  } finally {
    connection.close();
  }
}

/** Page after page, so that no read is long: an open one holds up the checkpoints of the host's write-ahead log. */
function addPages(hash: Hash, connection: Connection, page: PageSql): void {
  const sql = joinedPageSql(page);
  for (let after: Uint8Array = new Uint8Array(); ; ) {
    const read = connection.get<{ last: Uint8Array | null; said: Uint8Array }>(sql, after);
    if (read === undefined || read.last === null) return;
    hash.update(read.said);
    after = read.last;
  }
}
