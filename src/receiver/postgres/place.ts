import type { PoolClient } from "pg";
import type { PartName, Place } from "../backend.ts";
import { Refusal } from "../refusal.ts";
import { checkOrder, unnamedGeneration } from "../rules.ts";
import { deploymentLock, digestOf, storedId } from "./ids.ts";

/** What is held of a session; its row is locked. */
interface Head {
  readonly id: number;
  /** The newest generation. */
  readonly generation: number;
  /** Lines that are held of it. */
  readonly nextLine: number;
}

/** A part that is stored already. */
export interface KnownPart {
  readonly sha256: string;
  /** JSON. */
  readonly receipt: string;
}

/** Where a part that is new goes. */
export interface NewPlace {
  readonly sessionId: number;
  readonly generation: number;
  /** The newest generation that is held of the session, before this part; undefined for a new session. */
  readonly newest: number | undefined;
}

/** What the transaction of a part begins with: whoever deletes the deployment waits for it. */
export function shareDeployment({ projectId, deploymentId }: Place): string {
  return `SELECT pg_advisory_xact_lock_shared(${deploymentLock(projectId, deploymentId)})`;
}

/**
 * Finds out, within a transaction that began with {@link shareDeployment}, what is to become of a
 * part. The session's row is locked from then on, so that of two attempts at one part the second
 * finds what the first has stored.
 *
 * @throws {Refusal} `OUT_OF_ORDER`, `SESSION_DELETED`
 */
export async function placePart(
  client: PoolClient,
  name: PartName,
  place: Place,
): Promise<KnownPart | NewPlace> {
  for (;;) {
    // Statements of their own: each sees what was committed before the lock was had.
    const head = await lockHead(client, place);
    const known = await findPart(client, name, place);
    if (known !== undefined) return known;
    const generation = name.generation ?? unnamedGeneration(head?.generation, place.firstLine);
    const lines = head === undefined ? 0 : await linesOf(client, head, generation);
    checkOrder(place.firstLine, lines, name.generation);
    const sessionId = head?.id ?? (await insertHead(client, place, generation));
    if (sessionId !== undefined) return { sessionId, generation, newest: head?.generation };
  }
}

async function lockHead(client: PoolClient, place: Place): Promise<Head | undefined> {
  const { rows } = await client.query<Head>(
    `SELECT id, generation, next_line AS "nextLine" FROM influxion.head
     WHERE digest = $1 FOR UPDATE`,
    [digestOf(place)],
  );
  return rows[0];
}

/** @throws {Refusal} `SESSION_DELETED` */
async function findPart(
  client: PoolClient,
  { idempotencyKey }: PartName,
  place: Place,
): Promise<KnownPart | undefined> {
  const { rows } = await client.query<KnownPart & { deleted: boolean }>(
    `SELECT t.deleted, encode(p.body_sha256, 'hex') AS sha256, p.receipt
     FROM (SELECT EXISTS (SELECT FROM influxion.tombstone
       WHERE project = $2 AND deployment = $3 AND coalesce(agent, $4) = $4
       AND coalesce(session, $5) = $5) AS deleted) t
     LEFT JOIN influxion.part p ON p.key = $1`,
    [idempotencyKey, ...storedIds(place)],
  );
  const [row] = rows;
  if (row?.deleted) {
    const message = "the session was deleted here, and is not taken again";
    throw new Refusal(422, "SESSION_DELETED", message);
  }
  return row?.receipt === null ? undefined : row;
}

/** How many lines are held of one of the session's generations. */
async function linesOf(client: PoolClient, head: Head, generation: number): Promise<number> {
  if (generation === head.generation) return head.nextLine;
  const { rows } = await client.query<{ lines: number }>(
    `SELECT first_line + lines AS lines FROM influxion.part
     WHERE session_id = $1 AND generation = $2 ORDER BY first_line DESC LIMIT 1`,
    [head.id, generation],
  );
  return rows[0]?.lines ?? 0;
}

/** Undefined when another transaction was quicker. */
async function insertHead(
  client: PoolClient,
  place: Place,
  generation: number,
): Promise<number | undefined> {
  const { rows } = await client.query<{ id: number }>(
    `INSERT INTO influxion.head (digest, project, deployment, agent, session, generation, next_line)
     VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (digest) DO NOTHING RETURNING id`,
    [digestOf(place), ...storedIds(place), generation],
  );
  return rows[0]?.id;
}

function storedIds({ projectId, deploymentId, agentId, sessionId }: Place): string[] {
  return [projectId, deploymentId, agentId, sessionId].map(storedId);
}
