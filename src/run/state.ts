import type { Config } from "../config/config.ts";
import { createFilter, type FilterName, type UnmatchedPattern } from "../config/filter.ts";
import { oldestPending } from "../discovery/oldest.ts";
import { type Survey, survey, unmatchedPatterns } from "../discovery/survey.ts";
import { whyUnwritable } from "../ledger/files.ts";
import { knownBytes, Ledger } from "../ledger/ledger.ts";
import { type LockOwner, lockOwner } from "../ledger/lock.ts";
import type { Deletion } from "../ledger/schema.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { Problem } from "../shared/problem.ts";
import { findAgents } from "../stores/agents.ts";
import type { HostLayout } from "../stores/layout.ts";
import { credentialOf } from "./credential.ts";
import { type LastRun, readLastRun } from "./last-run.ts";
import { type Pause, readPause } from "./pause.ts";

/** How many sessions are in each state; `found` is the sum of the others. */
export interface Counts {
  found: number;
  uploaded: number;
  pending: number;
  /** Source bytes of the pending ones. */
  pendingBytes: number;
  skipped: Record<string, number>;
  failing: number;
  /** Among the uploaded ones: those whose last line is still being written. */
  growing: number;
  /** Among the pending ones: those the host is rewriting now. */
  settling: number;
}

export interface AgentState {
  readonly agentId: string;
  /** All that it is known by, its id first. */
  readonly names: readonly string[];
  /** The filter that keeps the whole agent here, or null. */
  readonly excludedBy: FilterName | null;
  /** Kinds of store that its sessions were found in. */
  readonly stores: readonly string[];
  readonly counts: Counts;
  /** Why the agent, or one of its stores, cannot be read. */
  readonly failures: readonly string[];
}

/** Everything `status` knows, found without the network and without changing anything. */
export interface UploadState {
  readonly counts: Counts;
  readonly agents: readonly AgentState[];
  readonly failing: readonly {
    readonly agentId: string;
    readonly sessionId: string;
    readonly reason: string;
    /** ms since the epoch */
    readonly retryAt?: number;
  }[];
  readonly problems: readonly Problem[];
  /** Why there may be more agents. */
  readonly failures: readonly string[];
  /** Patterns of the filters that matched nothing. */
  readonly unmatched: readonly UnmatchedPattern[];
  /** Lines the API did not take, and lines that were too long, over all sessions. */
  readonly rejectedLines: number;
  readonly omittedLines: number;
  /** When the oldest waiting line was written, in ms since the epoch, as well as that can be told; null where none waits. */
  readonly oldestPendingAt: number | null;
  /** What the API was to delete, and has not confirmed. */
  readonly deletions: readonly Deletion[];
  /** Whether the destination has taken anything yet. */
  readonly hasTaken: boolean;
  /** The API did not accept the key that is configured now, as far as that is known. */
  readonly refused: { readonly reason: string; readonly at: number } | null;
  /** ms since the epoch */
  readonly notBefore: number | null;
  readonly lastRun: LastRun | null;
  /** Uploads are paused; null while they are not. */
  readonly paused: Pause | null;
  readonly uploading: LockOwner | null;
}

export async function readState(
  stateDir: string,
  config: Pick<Config, "apiUrl" | "deploymentId" | "projectId" | "filter" | "apiKey">,
  now: () => number,
  layout?: HostLayout,
): Promise<UploadState> {
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const target = ledger.target(config);
  const filter = createFilter(config.filter, ledger.firstRunAt ?? now());
  await using agents = await findAgents({
    stateDir,
    layout,
    filter,
    countExcluded: true,
    now,
    knownBytes: knownBytes(target),
  });
  const found = await survey({
    agents: agents.agents,
    failures: agents.failures,
    filter,
    ledger,
    target,
    retryBackedOff: false,
    now,
  });
  const records = Object.values(target.sessions);
  const sum = (key: "rejected" | "omitted"): number =>
    records.reduce((total, record) => total + (record[key] ?? 0), 0);
  return {
    counts: countStates(found.sessions),
    agents: agents.agents.map(({ agentId, names, excludedBy, stores }) => {
      const filled = found.filled.get(agentId) ?? [];
      // Where nothing was found and nothing failed, all that is there is empty.
      const named = filled.length > 0 || !found.listed.has(agentId) ? filled : stores;
      return {
        agentId,
        names,
        excludedBy,
        stores: named.map((store) => store.kind),
        counts: countStates(found.sessions.filter((session) => session.agentId === agentId)),
        failures: found.failedAgents
          .filter((problem) => problem.agentId === agentId)
          .map((problem) => problem.message),
      };
    }),
    failing: found.sessions.flatMap(({ agentId, sessionId, state }) =>
      state.kind === "failing" ? [{ agentId, sessionId, ...state }] : [],
    ),
    problems: [...(await whyUnwritable(stateDir)), ...ledger.problems, ...found.problems],
    failures: agents.failures.map(({ message }) => message),
    unmatched: unmatchedPatterns(filter, found),
    rejectedLines: sum("rejected"),
    omittedLines: sum("omitted"),
    oldestPendingAt: await oldestPending(found.sessions),
    deletions: target.deletions.pending,
    hasTaken: target.hasTaken,
    refused: refusedOf(target, config),
    notBefore: target.notBefore ?? null,
    lastRun: await readLastRun(stateDir),
    paused: await readPause(stateDir, now()),
    uploading: await lockOwner(stateDir),
  };
}

/** What the API said of another key is over; where a reference leads is not looked up. */
function refusedOf(
  { refused }: TargetRecords,
  { apiKey }: Pick<Config, "apiKey">,
): UploadState["refused"] {
  const isOver = typeof apiKey === "string" && refused?.credential !== credentialOf(apiKey);
  return isOver ? null : (refused ?? null);
}

/** How many sessions filters keep here. */
export function skippedOf({ skipped }: Pick<Counts, "skipped">): number {
  return Object.values(skipped).reduce((sum, n) => sum + n, 0);
}

/** Why an agent, one of its stores, or the list of agents cannot be read: a line each. */
export function storeFailures({
  failures,
  agents,
}: Pick<UploadState, "failures" | "agents">): string[] {
  return [
    ...failures,
    ...agents.flatMap((agent) => agent.failures.map((failure) => `${agent.agentId}: ${failure}`)),
  ];
}

export function countStates(sessions: Survey["sessions"]): Counts {
  const counts: Counts = {
    found: sessions.length,
    uploaded: 0,
    pending: 0,
    pendingBytes: 0,
    skipped: {},
    failing: 0,
    growing: 0,
    settling: 0,
  };
  for (const { state } of sessions) {
    switch (state.kind) {
      case "uploaded":
        counts.uploaded++;
        if (state.growing) counts.growing++;
        break;
      case "pending":
        counts.pending++;
        counts.pendingBytes += state.bytes;
        if (state.settling) counts.settling++;
        break;
      case "skipped":
        counts.skipped[state.filter] = (counts.skipped[state.filter] ?? 0) + 1;
        break;
      case "failing":
        counts.failing++;
    }
  }
  return counts;
}
