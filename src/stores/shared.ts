import type { Problem } from "../shared/problem.ts";
import { parseSessionKey } from "../shared/session-key.ts";
import { idsOfStem } from "./ids.ts";
import type { FileFacts } from "./jsonl/facts.ts";
import { Recordings } from "./jsonl/recordings.ts";
import {
  gapIn,
  listedByKeys,
  mergeListed,
  readSessionIndex,
  type SessionIndex,
} from "./jsonl/session-index.ts";
import type { JsonlFolder } from "./jsonl.ts";
import { type Claim, claim } from "./places.ts";
import type { SharedFolder } from "./session-store.ts";

export interface SharedSessions {
  /** One for each agent that has sessions in such a folder, or may have. */
  readonly claims: readonly Claim[];
  /** By agent. */
  readonly folders: ReadonlyMap<string, readonly JsonlFolder[]>;
  readonly indexes: readonly SessionIndex[];
}

/**
 * Divides folders that several agents share. The host knows by the keys in its lists of
 * sessions which is whose (`agent:<agentId>:…`); a session that no list has is the default
 * agent's, unless a filter on agents would have to decide that.
 */
export async function findSharedSessions(shared: readonly SharedFolder[]): Promise<SharedSessions> {
  const claims: Claim[] = [];
  const folders = new Map<string, JsonlFolder[]>();
  const all: SessionIndex[] = [];
  for (const folder of shared) {
    const { agentId, dir } = folder;
    const indexes: SessionIndex[] = [];
    const failures: Problem[] = [];
    for (const { path, agentId: owner } of folder.indexes) {
      const read = await readSessionIndex(path, owner);
      if (read.kind === "index") indexes.push(read.index);
      if (read.kind === "unreadable") {
        const message = `whose the sessions in ${dir} are cannot be determined: ${read.reason}; none of them is sent`;
        failures.push({ code: "INDEX_UNREADABLE", agentId, message });
      }
    }
    claims.push(claim(agentId, { failures }));
    if (failures.length > 0) continue;
    all.push(...indexes);
    const gap = gapOf(folder, indexes);
    const owners = new Set([agentId, ...indexes.flatMap((index) => [...index.agentIds])]);
    const isDoubtful = folder.isDoubtful || owners.size > 1 || gap !== undefined;
    const recordings = new Recordings(dir);
    for (const owner of owners) {
      const factsOf = (stem: string): FileFacts =>
        factsFor(owner, stem, { agentId, owners, indexes, recordings, isDoubtful, gap });
      folders.set(owner, [...(folders.get(owner) ?? []), { dir, factsOf }]);
      claims.push(claim(owner, {}));
    }
  }
  return { claims, folders, indexes: all };
}

/** An agent without a list may just have no sessions yet, but somebody wrote what is there. */
function gapOf({ dir }: SharedFolder, indexes: readonly SessionIndex[]): string | undefined {
  if (indexes.length === 0) return `OpenClaw's list of the sessions in ${dir} is missing`;
  return gapIn(indexes);
}

interface Known {
  /** Whose the sessions are of which nothing says it. */
  readonly agentId: string;
  /** Ids of all agents that may have sessions here. */
  readonly owners: ReadonlySet<string>;
  readonly indexes: readonly SessionIndex[];
  readonly recordings: Recordings;
  readonly isDoubtful: boolean;
  /** Why a session may be listed without being found in the lists, as a clause. */
  readonly gap: string | undefined;
}

function factsFor(owner: string, stem: string, known: Known): FileFacts {
  const { agentId, owners, indexes, recordings, isDoubtful, gap } = known;
  const listed = indexes.flatMap((index) => index.agentsOf(stem));
  const { keys, unreadable } = listed.length === 0 ? recordings.keysOf(stem) : NOT_RECORDED;
  const recorded = keys.map((key) => parseSessionKey(key)?.agentId ?? agentId);
  const agents = [...new Set([...listed, ...recorded])].sort();
  const { names, facts } = mergeListed([
    ...indexes.flatMap((index) => index.entriesOf(stem)),
    ...listedByKeys(keys, indexes),
  ]);
  return {
    // What a recording says is of an agent that is gone is distinguished from it by the key.
    isOurs: owner === (agents.find((one) => owners.has(one)) ?? agentId),
    names: [...idsOfStem(stem).slice(1), ...names],
    facts,
    namesUnknown: unreadable ?? (listed.length === 0 ? gap : undefined),
    agentUnknown: agents.length === 1 || !isDoubtful ? undefined : unknownAgent(agents.length),
  };
}

const NOT_RECORDED = { keys: [], unreadable: undefined };

function unknownAgent(listed: number): string {
  return listed === 0
    ? "OpenClaw's list of sessions does not say whose it is"
    : "OpenClaw lists it for several agents";
}
