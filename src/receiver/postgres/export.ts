import type { PoolClient } from "pg";
import { wholeLines } from "../lines.ts";
import type { Database } from "./database.ts";
import { idOf, storedId } from "./ids.ts";

/** What is exported; everything where nothing is said. */
export interface ExportFilter {
  readonly projectId?: string | undefined;
  readonly deploymentId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Only sessions of which something was received since. */
  readonly since?: Date | undefined;
}

export interface ExportedSession {
  readonly projectId: string;
  readonly deploymentId: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** Of the newest generation, in order. One statement reads them, so they belong together. */
  readonly lines: AsyncIterable<ExportedLine>;
}

export interface ExportedLine {
  readonly generation: number;
  readonly lineIndex: number;
  /** Byte for byte as it was received. */
  readonly payload: string;
}

/** The sessions that match, one after another; the lines of each are to be read before the next. */
export async function* exportSessions(
  database: Database,
  filter: ExportFilter,
): AsyncGenerator<ExportedSession> {
  const lease = await database.lease();
  try {
    for (let last = 0; ; ) {
      const page = await sessionsAfter(lease.client, last, filter);
      for (const { id, ...ids } of page) {
        yield { ...ids, lines: linesOf(lease.client, database, id) };
        last = id;
      }
      if (page.length < PAGE) break;
    }
    lease.release();
  } finally {
    lease.destroy();
  }
}

const PAGE = 500;

type Row = Omit<ExportedSession, "lines"> & { readonly id: number };

async function sessionsAfter(
  client: PoolClient,
  last: number,
  filter: ExportFilter,
): Promise<Row[]> {
  const { projectId, deploymentId, agentId, sessionId, since } = filter;
  const ids = [projectId, deploymentId, agentId, sessionId].map((id) =>
    id === undefined ? null : storedId(id),
  );
  const { rows } = await client.query<Row>(
    `SELECT id, project AS "projectId", deployment AS "deploymentId", agent AS "agentId",
       session AS "sessionId" FROM influxion.head h
     WHERE id > $1 AND project = coalesce($2, project) AND deployment = coalesce($3, deployment)
       AND agent = coalesce($4, agent) AND session = coalesce($5, session)
       AND ($6::timestamptz IS NULL OR EXISTS (SELECT FROM influxion.part
         WHERE session_id = h.id AND received_at >= $6))
     ORDER BY id LIMIT ${PAGE}`,
    [last, ...ids, since ?? null],
  );
  return rows.map((row) => ({
    id: row.id,
    projectId: idOf(row.projectId),
    deploymentId: idOf(row.deploymentId),
    agentId: idOf(row.agentId),
    sessionId: idOf(row.sessionId),
  }));
}

/** Whatever the database holds is exported. */
const NO_LIMITS = {
  lineBytes: Number.POSITIVE_INFINITY,
  lines: Number.POSITIVE_INFINITY,
  payloadBytes: Number.POSITIVE_INFINITY,
  envelopeBytes: 0,
};

async function* linesOf(
  client: PoolClient,
  { driver }: Database,
  id: number,
): AsyncGenerator<ExportedLine> {
  const rows = client.query(
    driver.copyTo(
      `COPY (SELECT l.generation, l.line_index, l.payload FROM influxion.head h
         JOIN influxion.line l ON l.session_id = h.id AND l.generation = h.generation
         WHERE h.id = ${id} ORDER BY l.line_index) TO STDOUT`,
    ),
  );
  for await (const block of wholeLines(rows, NO_LIMITS)) {
    for (const row of block.toString().split("\n")) {
      if (row !== "") yield parseRow(row);
    }
  }
}

/** A row of COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html */
function parseRow(row: string): ExportedLine {
  const [generation = "", lineIndex = ""] = row.split("\t", 2);
  const payload = row.slice(generation.length + lineIndex.length + 2);
  return {
    generation: Number(generation),
    lineIndex: Number(lineIndex),
    payload: payload.replace(/\\(.)/g, (_, unit: string) => ESCAPES[unit] ?? unit),
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
