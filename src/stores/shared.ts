import { join } from "node:path";
import type { Problem } from "../shared/problem.ts";
import type { FileFacts } from "./jsonl/facts.ts";
import {
  agentOfKey,
  namesOfKey,
  readSessionIndex,
  type SessionIndex,
} from "./jsonl/session-index.ts";
import { readTrajectoryKey, type TrajectoryKey } from "./jsonl/trajectory.ts";
import type { JsonlFolder } from "./jsonl.ts";
import { type Claim, claim } from "./places.ts";
import type { SharedFolder } from "./session-store.ts";

export interface SharedSessions {
  /** One for each agent that has sessions in such a folder, or may have. */
  readonly claims: readonly Claim[];
  /** By agent. */
  readonly folders: ReadonlyMap<string, readonly JsonlFolder[]>;
}

/**
 * Divides folders that several agents share. The host tells by the keys in its lists of
 * sessions which is whose (`agent:<agentId>:…`); a session that no list has is the default
 * agent's, unless a filter on agents would have to decide that.
 */
export async function findSharedSessions(shared: readonly SharedFolder[]): Promise<SharedSessions> {
  const claims: Claim[] = [];
  const folders = new Map<string, JsonlFolder[]>();
  for (const folder of shared) {
    const { agentId, dir } = folder;
    const indexes: SessionIndex[] = [];
    const failures: Problem[] = [];
    for (const { path, agentId: owner } of folder.indexes) {
      const read = await readSessionIndex(path, owner);
      if (read.kind === "index") indexes.push(read.index);
      if (read.kind === "unreadable") {
        const message = `whose the sessions in ${dir} are cannot be told: ${read.reason}; none of them is sent`;
        failures.push({ code: "INDEX_UNREADABLE", agentId, message });
      }
    }
    claims.push(claim(agentId, { failures }));
    if (failures.length > 0) continue;
    const owners = new Set([agentId, ...indexes.flatMap((index) => [...index.agentIds])]);
    const isDoubtful = folder.isDoubtful || owners.size > 1;
    for (const owner of owners) {
      const factsOf = (stem: string): FileFacts =>
        factsFor(owner, stem, indexes, { agentId, dir, isDoubtful });
      folders.set(owner, [...(folders.get(owner) ?? []), { dir, factsOf }]);
      claims.push(claim(owner, {}));
    }
  }
  return { claims, folders };
}

function factsFor(
  owner: string,
  stem: string,
  indexes: readonly SessionIndex[],
  { agentId, dir, isDoubtful }: Pick<SharedFolder, "agentId" | "dir" | "isDoubtful">,
): FileFacts {
  const listed = [...new Set(indexes.flatMap((index) => index.agentsOf(stem)))].sort();
  const names = indexes.flatMap((index) => index.namesOf(stem));
  const recorded = listed.length === 0 ? readTrajectoryKey(join(dir, stem)) : NOT_RECORDED;
  const key = recorded.kind === "key" ? recorded.key : null;
  const agents = key === null ? listed : [agentOfKey(key) ?? agentId];
  return {
    isOurs: owner === (agents[0] ?? agentId),
    names: key === null ? names : namesOfKey(key),
    namesUnknown: recorded.kind === "unreadable" ? recorded.reason : undefined,
    agentUnknown: agents.length === 1 || !isDoubtful ? undefined : unknownAgent(agents.length),
  };
}

const NOT_RECORDED: TrajectoryKey = { kind: "unknown" };

function unknownAgent(listed: number): string {
  return listed === 0
    ? "OpenClaw's list of sessions does not say whose it is"
    : "OpenClaw lists it for several agents";
}
