import type { Filter, NameVerdict, UnmatchedPattern } from "../config/filter.ts";
import { sessionKey } from "../ledger/session-key.ts";
import { describeReadFailure, type Problem } from "../shared/problem.ts";
import type { Agent } from "../stores/agents.ts";
import { addRelatedNames } from "../stores/related.ts";
import type { RelatedNames, Store } from "../stores/store.ts";
import { type ExamineOptions, examine, namesOf, type SurveyedSession } from "./examine.ts";
import type { FoundStream } from "./scan-streams.ts";

export interface Survey {
  readonly sessions: SurveyedSession[];
  readonly problems: Problem[];
  /** Agents that were listed completely; only their vanished sessions are known. */
  readonly listed: ReadonlySet<string>;
  /** Keys of sessions of which there is more than what resets have set aside. */
  readonly live: ReadonlySet<string>;
  /** Stores with sessions in them, by agent. */
  readonly filled: ReadonlyMap<string, readonly Store[]>;
  /** Agents, or something of theirs, that could not be looked at; without an id, there may be more agents. */
  readonly failedAgents: readonly Problem[];
}

export interface SurveyOptions extends ExamineOptions {
  readonly agents: readonly Agent[];
  /** Why there may be more agents. */
  readonly failures: readonly Problem[];
  /** Keys of the sessions that are looked at. @default all */
  readonly only?: ReadonlySet<string> | undefined;
  /** Notified of each session whose state was decided, with all of its streams. */
  readonly onSession?:
    | ((session: SurveyedSession, streams: readonly FoundStream[]) => void)
    | undefined;
}

/**
 * Finds every session and decides its state. Unchanged sessions cost a `stat` and
 * a comparison, and a look at their head where it matters when they began; nothing is sent. Records of the ledger are brought up to date in
 * memory, which is harmless for a caller that never saves. What goes wrong with one
 * agent or one session is the failure of that one alone.
 *
 * @throws the signal's reason
 */
export async function survey(options: SurveyOptions): Promise<Survey> {
  const { signal } = options;
  const sessions: SurveyedSession[] = [];
  const problems: Problem[] = [];
  const listed = new Set<string>();
  const live = new Set<string>();
  const filled = new Map<string, readonly Store[]>();
  const failedAgents: Problem[] = [...options.failures];
  for (const agent of options.agents) {
    const listing = await listAgent(agent, signal);
    problems.push(...listing.problems);
    filled.set(agent.agentId, listing.filled);
    // Of an agent that is excluded nothing is forgotten, and no failure matters.
    if (agent.excludedBy === null) failedAgents.push(...listing.failures);
    if (agent.excludedBy === null && listing.failures.length === 0) listed.add(agent.agentId);
    for (const [sessionId, streams] of listing.sessions) {
      signal?.throwIfAborted();
      if (streams.some(isLive)) live.add(sessionKey(agent.agentId, sessionId));
      if (options.only?.has(sessionKey(agent.agentId, sessionId)) === false) continue;
      const session = await examine(options, agent, sessionId, streams, problems);
      if (session === null) continue;
      sessions.push(session);
      options.onSession?.(session, streams);
    }
  }
  return { sessions, problems, listed, live, filled, failedAgents };
}

const isLive = ({ stream: { renamedFrom } }: FoundStream): boolean => renamedFrom === undefined;

/** What the filter says of each session there is, by what it is called now; no transcript is read. */
export async function askByName({
  agents,
  filter,
  signal,
}: Pick<SurveyOptions, "agents" | "filter" | "signal">): Promise<Map<string, NameVerdict>> {
  const verdicts = new Map<string, NameVerdict>();
  for (const agent of agents) {
    const { sessions } = await listAgent(agent, signal);
    for (const [sessionId, streams] of sessions) {
      const verdict = filter.byName(agent.names, namesOf(sessionId, streams));
      verdicts.set(sessionKey(agent.agentId, sessionId), verdict);
    }
  }
  return verdicts;
}

export interface AgentListing {
  readonly sessions: ReadonlyMap<string, FoundStream[]>;
  readonly filled: readonly Store[];
  readonly problems: readonly Problem[];
  readonly failures: readonly Problem[];
}

const UNREAD: RelatedNames = {
  names: new Map(),
  unknown: "the database of its agent, which may name it, cannot be read",
};

/** The sessions of one agent, with all that they are called. */
export async function listAgent(
  { agentId, stores, failures: known, hasUnreadDatabase }: Agent,
  signal: AbortSignal | undefined,
): Promise<AgentListing> {
  const sessions = new Map<string, FoundStream[]>();
  const filled: Store[] = [];
  const problems: Problem[] = [];
  const failures = [...known];
  const related = new Map<Store | null, RelatedNames>();
  if (hasUnreadDatabase) related.set(null, UNREAD);
  for (const store of stores) {
    try {
      const listing = await store.list(signal);
      problems.push(...listing.problems);
      failures.push(...listing.failures);
      if (listing.related !== undefined) related.set(store, listing.related);
      if (listing.streams.length > 0) filled.push(store);
      for (const stream of listing.streams) {
        const streams = sessions.get(stream.sessionId);
        if (streams === undefined) sessions.set(stream.sessionId, [{ store, stream }]);
        else streams.push({ store, stream });
      }
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ ...describeReadFailure(error), agentId });
      if (store.namesOthers === true) related.set(store, UNREAD);
    }
  }
  for (const [store, names] of related) addRelatedNames(sessions, store, names);
  return { sessions, filled, problems, failures };
}

/** Patterns of the filters that matched nothing in a survey of everything; none while there is nothing that could match. */
export function unmatchedPatterns(
  filter: Filter,
  { sessions }: Pick<Survey, "sessions">,
): UnmatchedPattern[] {
  return sessions.length === 0 ? [] : filter.unmatched();
}
