import { fold } from "../config/patterns.ts";
import { sessionKey, splitKey } from "../ledger/session-key.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { InfluxionError, type Problem } from "../shared/problem.ts";
import type { Agent } from "../stores/agents.ts";
import { liveFile } from "../stores/sources.ts";
import { type Called, calledOf } from "./called.ts";
import { namesOf } from "./examine.ts";
import type { FoundStream } from "./scan-streams.ts";
import { listAgent } from "./survey.ts";

/** A session that is here, or that the ledger knows. */
export interface KnownSession {
  /** `<agentId>/<sessionId>` */
  readonly key: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** What it is called besides: session keys, labels, display names. */
  readonly names: readonly string[];
  /** Those of them that people know it by. */
  readonly called: Called;
  /** What its streams are called, and were. */
  readonly sources: readonly string[];
}

type NamedSession = Pick<KnownSession, "key" | "sessionId" | "names">;

export interface KnownSessions {
  readonly sessions: readonly KnownSession[];
  /** What could not be looked at, so that there may be more. */
  readonly failures: readonly Problem[];
}

/** Every session of these agents, and those that only the ledger knows, of any agent; no transcript is read. */
export async function listKnown(
  agents: readonly Agent[],
  target: TargetRecords,
  signal: AbortSignal,
): Promise<KnownSessions> {
  const known = new Map<string, KnownSession>();
  const failures: Problem[] = [];
  for (const agent of agents) {
    const listing = await listAgent(agent, signal);
    failures.push(...listing.failures);
    for (const [sessionId, streams] of listing.sessions) {
      const session = foundSession(agent.agentId, sessionId, streams);
      known.set(session.key, session);
    }
  }
  for (const key of Object.keys(target.sessions)) {
    if (!known.has(key)) known.set(key, recordedSession(key));
  }
  return { sessions: [...known.values()], failures };
}

/** What a user hears who gave a name of several sessions. */
export function ambiguous(name: string, sessions: readonly NamedSession[]): InfluxionError {
  const keys = sessions.map(({ key }) => key).sort();
  const message = `"${name}" is the name of ${keys.length} sessions; say which: ${keys.join(", ")}`;
  return new InfluxionError("AMBIGUOUS_SESSION", message);
}

/**
 * Those that a user means by `name`: `<agentId>/<sessionId>`, else an id, else a key, a label or a
 * display name, in any case. A topic of a chat also has the id of the chat among its names.
 */
export function sessionsNamed<T extends NamedSession>(sessions: readonly T[], name: string): T[] {
  const text = name.trim();
  const wanted = fold(name);
  const ways: readonly ((session: NamedSession) => boolean)[] = [
    ({ key }) => key === text,
    ({ sessionId }) => sessionId === text,
    ({ key, sessionId }) => fold(key) === wanted || fold(sessionId) === wanted,
    ({ names }) => names.some((one) => fold(one) === wanted),
  ];
  for (const isMeant of ways) {
    const meant = sessions.filter(isMeant);
    if (meant.length > 0) return meant;
  }
  return [];
}

function foundSession(
  agentId: string,
  sessionId: string,
  streams: readonly FoundStream[],
): KnownSession {
  const sources = streams.flatMap(({ stream }) => [stream.source, stream.renamedFrom ?? []].flat());
  const names = namesOf(sessionId, streams);
  return {
    key: sessionKey(agentId, sessionId),
    agentId,
    sessionId,
    names: names.names,
    called: calledOf(names),
    sources: [...new Set([...sources, liveFile(sessionId)])],
  };
}

export function recordedSession(key: string): KnownSession {
  const { agentId, sessionId } = splitKey(key);
  const called = { sessionKey: null, label: null, title: null };
  return { key, agentId, sessionId, names: [], called, sources: [liveFile(sessionId)] };
}
