import type { DatabaseSync } from "node:sqlite";
import type { Deleted, Deletion, SessionIds } from "../backend.ts";
import { furtherStreamOf, nameOf, ownerOf, scopeDigest, streamOf } from "../names.ts";

/** One generation of one session in the index. */
interface Generation {
  readonly stream: string;
  readonly generation: number;
  /** Relative to the receiver's folder. */
  readonly file: string;
  readonly wireGeneration: number;
  /** See `unnamedAfter`. */
  readonly unnamedAfter: number | null;
  readonly parts: number;
}

/** What became of a deletion, and the generations whose files are to be removed. */
export interface Doomed extends Deleted {
  readonly generations: readonly Pick<Generation, "stream" | "generation" | "file">[];
}

/** Of the deletions that mean a session, the highest `through`. */
export function forgottenThrough(db: DatabaseSync, ids: SessionIds): number | undefined {
  const { projectId, deploymentId, agentId } = ids;
  const owner = { projectId, deploymentId };
  const row = db
    .prepare("SELECT max(through) AS through FROM tombstones WHERE scope IN (?, ?, ?)")
    .get(scopeDigest(owner), scopeDigest({ ...owner, agentId }), scopeDigest(ids));
  return (row?.through as number | null | undefined) ?? undefined;
}

/**
 * Remembers a deletion, and leaves nothing of the generations that it means but that they were
 * there: as with those whose first part was never committed, their files are of no use any more.
 */
export function doom(db: DatabaseSync, deletion: Deletion): Doomed {
  const { through } = deletion;
  db.prepare(
    `INSERT INTO tombstones (scope, through) VALUES (?, ?)
     ON CONFLICT (scope) DO UPDATE SET through = max(through, excluded.through)`,
  ).run(scopeDigest(deletion), through);
  const isDoomed = ({ wireGeneration, unnamedAfter }: Generation): boolean =>
    wireGeneration <= through || (unnamedAfter !== null && unnamedAfter < through);
  const meant = generationsOf(db, deletion);
  const generations = meant.filter(isDoomed);
  empty(db, generations);
  const left = meant.filter((one) => one.parts > 0 && !isDoomed(one));
  return { generations, deleted: countSessions(generations), left: countSessions(left) };
}

/** Also those of which an older version did not record whose they are. */
function generationsOf(db: DatabaseSync, scope: Deletion): Generation[] {
  const owner = ownerOf(scope);
  const [condition, ...values] = conditionFor(scope, owner);
  return db
    .prepare(
      `SELECT stream, generation, file, wire_generation AS wireGeneration,
       unnamed_after AS unnamedAfter, parts FROM sessions
       WHERE (owner = ? OR owner IS NULL) AND ${condition}`,
    )
    .all(owner, ...values) as unknown as Generation[];
}

function conditionFor(
  { agentId, sessionId }: Deletion,
  owner: string,
): [condition: string, ...values: (string | number)[]] {
  if (agentId === undefined) return ["true"];
  if (sessionId === undefined) {
    const folder = `${nameOf(agentId)}/`;
    return ["substr(stream, 1, ?) = ?", folder.length, folder];
  }
  const stream = streamOf(agentId, sessionId);
  return ["stream IN (?, ?)", stream, furtherStreamOf(stream, owner)];
}

function empty(db: DatabaseSync, generations: readonly Generation[]): void {
  const dropParts = db.prepare("DELETE FROM parts WHERE stream = ? AND generation = ?");
  const reset = db.prepare(
    `UPDATE sessions SET parts = 0, lines = 0, accepted = 0, rejected = 0, bytes = 0
     WHERE stream = ? AND generation = ?`,
  );
  for (const { stream, generation } of generations) {
    dropParts.run(stream, generation);
    reset.run(stream, generation);
  }
}

function countSessions(generations: readonly Generation[]): number {
  return new Set(generations.map(({ stream }) => stream)).size;
}
