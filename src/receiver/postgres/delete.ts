import type { PoolClient } from "pg";
import type { Database } from "./database.ts";
import { deploymentLock, storedId } from "./ids.ts";

/** A deployment, one of its agents, or a session. */
export interface Scope {
  readonly projectId: string;
  readonly deploymentId: string;
  readonly agentId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** Sessions that are deleted in one transaction. */
const BATCH = 50;

/**
 * Deletes everything of a scope, and has it refused from now on, also what was never here. When it
 * ends early, what is left is deleted by calling it again.
 *
 * Returns how many sessions there were.
 */
export async function deleteScope(database: Database, scope: Scope): Promise<number> {
  await database.transaction(async (client) => {
    // Waits for the parts that are being stored: what comes after them finds the tombstone.
    const lock = deploymentLock(scope.projectId, scope.deploymentId);
    await client.query(`SELECT pg_advisory_xact_lock(${lock})`);
    await client.query(
      `INSERT INTO influxion.tombstone (project, deployment, agent, session)
       SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM influxion.tombstone WHERE ${SAME})`,
      valuesOf(scope),
    );
  });
  for (let sessions = 0; ; ) {
    const deleted = await database.transaction((client) => deleteBatch(client, scope));
    sessions += deleted;
    if (deleted < BATCH) return sessions;
  }
}

/** Takes again what {@link deleteScope} was called for with the same scope. Returns whether there was such a call. */
export async function allowScope(database: Database, scope: Scope): Promise<boolean> {
  const { rowCount } = await database.transaction((client) =>
    client.query(`DELETE FROM influxion.tombstone WHERE ${SAME}`, valuesOf(scope)),
  );
  return (rowCount ?? 0) > 0;
}

const SAME = `project = $1 AND deployment = $2 AND agent IS NOT DISTINCT FROM $3::text
  AND session IS NOT DISTINCT FROM $4::text`;

async function deleteBatch(client: PoolClient, scope: Scope): Promise<number> {
  const { rows } = await client.query<{ ids: number[] }>(
    `SELECT array_agg(id) AS ids FROM (SELECT id FROM influxion.head
       WHERE project = $1 AND deployment = $2 AND agent = coalesce($3, agent)
       AND session = coalesce($4, session) ORDER BY id LIMIT ${BATCH} FOR UPDATE) found`,
    valuesOf(scope),
  );
  const ids = rows[0]?.ids ?? [];
  for (const table of ["line", "part"]) {
    await client.query(`DELETE FROM influxion.${table} WHERE session_id = ANY ($1)`, [ids]);
  }
  await client.query("DELETE FROM influxion.head WHERE id = ANY ($1)", [ids]);
  return ids.length;
}

function valuesOf({ projectId, deploymentId, agentId, sessionId }: Scope): (string | null)[] {
  return [projectId, deploymentId, agentId, sessionId].map((id) =>
    id === undefined ? null : storedId(id),
  );
}
