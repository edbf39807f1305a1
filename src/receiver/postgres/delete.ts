import type { PoolClient } from "pg";
import type { Deleted, Owner } from "../backend.ts";
import type { Database } from "./database.ts";
import { deploymentLock, digestOf, storedId } from "./ids.ts";

/** Sessions that are deleted in one transaction. */
const BATCH = 50;
/** How long one statement may take, in ms: the lines of that many sessions can be millions. */
const DELETE_MS = 600_000;

/** A `through` that means every generation, for ever. */
export const ALL_GENERATIONS = Number.MAX_SAFE_INTEGER;

/** What is meant: a deployment, one of its agents or sessions, or one session. */
export interface StoreScope extends Owner {
  readonly agentId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** A scope, and the highest generation that is meant. */
export interface StoreDeletion extends StoreScope {
  readonly through: number;
}

/**
 * Deletes what a scope holds, and has it refused from now on, also what was never here. When it
 * ends early, what is left is deleted by calling it again.
 */
export async function deleteScope(database: Database, deletion: StoreDeletion): Promise<Deleted> {
  await database.transaction(async (client) => {
    // Waits for the parts that are being stored: what comes after them finds the tombstone.
    const lock = deploymentLock(deletion.projectId, deletion.deploymentId);
    await client.query(`SELECT pg_advisory_xact_lock(${lock})`);
    await remember(client, deletion);
  });
  let deleted = 0;
  let left = 0;
  for (let last = 0; ; ) {
    const batch = await database.transaction((client) => deleteBatch(client, deletion, last));
    deleted += batch.deleted;
    left += batch.left;
    if (batch.last === undefined) return { deleted, left };
    last = batch.last;
  }
}

/** Takes again what {@link deleteScope} was called for with the same scope. Returns whether there was such a call. */
export async function allowScope(database: Database, scope: StoreScope): Promise<boolean> {
  const { rowCount } = await database.transaction((client) =>
    client.query(`DELETE FROM influxion.tombstone WHERE ${SAME}`, valuesOf(scope)),
  );
  return (rowCount ?? 0) > 0;
}

const SAME = `project = $1 AND deployment = $2 AND agent IS NOT DISTINCT FROM $3::text
  AND session IS NOT DISTINCT FROM $4::text`;

/** Of several with the same scope, the highest `through` counts. */
async function remember(client: PoolClient, { through, ...scope }: StoreDeletion): Promise<void> {
  const values = [...valuesOf(scope), through];
  const { rowCount } = await client.query(
    `UPDATE influxion.tombstone SET through = greatest(through, $5), deleted_at = now() WHERE ${SAME}`,
    values,
  );
  if (rowCount !== 0) return;
  await client.query(
    `INSERT INTO influxion.tombstone (project, deployment, agent, session, through)
     VALUES ($1, $2, $3, $4, $5)`,
    values,
  );
}

interface Batch extends Deleted {
  /** Its last session; undefined when there are none behind it. */
  readonly last: number | undefined;
}

async function deleteBatch(
  client: PoolClient,
  { through, ...scope }: StoreDeletion,
  after: number,
): Promise<Batch> {
  const { rows: heads } = await client.query<{ id: number }>(
    `SELECT id FROM influxion.head
     WHERE project = $1 AND deployment = $2 AND agent = coalesce($3, agent)
     AND session = coalesce($4, session) AND digest = coalesce($5, digest)
     AND id > $6 ORDER BY id LIMIT ${BATCH} FOR UPDATE`,
    [...valuesOf(scope), digestIn(scope), after],
  );
  const ids = heads.map(({ id }) => id);
  const deleted = await deleteGenerations(client, ids, through);
  const left = await mendHeads(client, ids);
  return { deleted, left, last: ids.length < BATCH ? undefined : ids.at(-1) };
}

/** Returns how many sessions had something to delete. */
async function deleteGenerations(
  client: PoolClient,
  ids: readonly number[],
  through: number,
): Promise<number> {
  const { rows } = await client.query<{ session: number; generation: number }>(
    `SELECT session_id AS session, generation FROM influxion.part
     WHERE session_id = ANY ($1) AND first_line = 0 AND (generation <= $2 OR unnamed_after < $2)`,
    [ids, through],
  );
  const doomed = [rows.map(({ session }) => session), rows.map(({ generation }) => generation)];
  for (const table of ["line", "part"]) {
    await client.query({
      text: `DELETE FROM influxion.${table} t USING unnest($1::bigint[], $2::bigint[])
        AS doomed (session_id, generation)
        WHERE t.session_id = doomed.session_id AND t.generation = doomed.generation`,
      values: doomed,
      // The driver's types do not have it.
      ...{ query_timeout: DELETE_MS },
    });
  }
  return new Set(doomed[0]).size;
}

/** Lets the heads of sessions say what is held now, or go. Returns how many are left. */
async function mendHeads(client: PoolClient, ids: readonly number[]): Promise<number> {
  const { rowCount } = await client.query(
    `UPDATE influxion.head h SET generation = p.generation, next_line = p.first_line + p.lines
     FROM (SELECT DISTINCT ON (session_id) session_id, generation, first_line, lines
       FROM influxion.part WHERE session_id = ANY ($1)
       ORDER BY session_id, generation DESC, first_line DESC) p
     WHERE h.id = p.session_id`,
    [ids],
  );
  await client.query(
    `DELETE FROM influxion.head h WHERE id = ANY ($1)
     AND NOT EXISTS (SELECT FROM influxion.part WHERE session_id = h.id)`,
    [ids],
  );
  return rowCount ?? 0;
}

/** Finds one session by an index. */
function digestIn({ agentId, sessionId, ...owner }: StoreScope): Buffer | null {
  if (agentId === undefined || sessionId === undefined) return null;
  return digestOf({ ...owner, agentId, sessionId });
}

function valuesOf({ projectId, deploymentId, agentId, sessionId }: StoreScope): (string | null)[] {
  return [projectId, deploymentId, agentId, sessionId].map((id) =>
    id === undefined ? null : storedId(id),
  );
}
