import type { PoolClient } from "pg";
import type { PartName, Place } from "../backend.ts";
import { checkOrder, generationOf, unnamedAfter } from "../rules.ts";
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
  /** See `unnamedAfter`; null for a part that continues a generation. */
  readonly unnamedAfter: number | null;
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
 * @throws {Refusal} `FORGOTTEN`, `OUT_OF_ORDER`
 */
export async function placePart(
  client: PoolClient,
  name: PartName,
  place: Place,
): Promise<KnownPart | NewPlace> {
  for (;;) {
    // Statements of their own: each sees what was committed before the lock was had.
    const head = await lockHead(client, place);
    const { known, through } = await findPart(client, name, place);
    if (known !== undefined) return known;
    const newest = head?.generation;
    const generation = generationOf(name.generation, place.firstLine, { newest, through });
    const lines = head === undefined ? 0 : await linesOf(client, head, generation);
    checkOrder(place.firstLine, lines, name.generation);
    const sessionId = head?.id ?? (await insertHead(client, place, generation));
    if (sessionId === undefined) continue;
    const after = lines === 0 ? unnamedAfter(name.generation, { through }) : null;
    return { sessionId, generation, newest, unnamedAfter: after };
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

/** As the index `tombstone_by_scope` has it. */
const SCOPE = "(deployment || '/' || coalesce(agent, '') || '/' || coalesce(session, ''))";

/** What follows the scopes is for those that are written alike, as with a `/` in an id. */
const FIND_PART = `SELECT t.through, encode(p.body_sha256, 'hex') AS sha256, p.receipt
  FROM (SELECT max(through) AS through FROM influxion.tombstone
    WHERE (${SCOPE} = $3 || '//' OR ${SCOPE} = $3 || '/' || $4 || '/'
      OR ${SCOPE} = $3 || '//' || $5 OR ${SCOPE} = $3 || '/' || $4 || '/' || $5)
    AND project = $2 AND deployment = $3
    AND (agent IS NULL OR agent = $4) AND (session IS NULL OR session = $5)) t
  LEFT JOIN influxion.part p ON p.key = $1`;

/** The part, if it is stored, and what was deleted of its session: see `Held`. */
async function findPart(
  client: PoolClient,
  { idempotencyKey }: PartName,
  place: Place,
): Promise<{ known: KnownPart | undefined; through: number | undefined }> {
  const { rows } = await client.query<KnownPart & { through: number | null }>(FIND_PART, [
    idempotencyKey,
    ...storedIds(place),
  ]);
  const [row] = rows;
  const known = row?.receipt === null ? undefined : row;
  return { known, through: row?.through ?? undefined };
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
