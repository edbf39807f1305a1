import type { Config } from "../config/config.ts";
import { createFilter, type SessionNames } from "../config/filter.ts";
import { WhichPattern } from "../config/which-pattern.ts";
import { type Called, calledOf } from "../discovery/called.ts";
import { namesOf, type SessionState, type SurveyedSession } from "../discovery/examine.ts";
import type { FoundStream } from "../discovery/scan-streams.ts";
import { survey } from "../discovery/survey.ts";
import { knownBytes, Ledger } from "../ledger/ledger.ts";
import type { SessionRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { Problem } from "../shared/problem.ts";
import { findAgents } from "../stores/agents.ts";
import { type LastRun, readLastRun } from "./last-run.ts";
import type { LookOptions } from "./options.ts";
import { surveyOf } from "./scope.ts";
import { describeState, type KnownOfSession } from "./why.ts";

/** A session, what it is called, and how it is with its upload. */
export interface SessionEntry extends Called {
  /** `<agentId>/<sessionId>` */
  readonly key: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** All that it is called. */
  readonly names: readonly string[];
  /** ms since the epoch */
  readonly changedAt: number;
  /** Of all of its streams, in bytes. */
  readonly bytes: number;
  readonly state: SessionState;
  /** Why it is in that state, and what comes next, as a clause. */
  readonly reason: string;
  /** Lines that have arrived. */
  readonly sentLines: number;
  /** When a part of it was last tried, in ms since the epoch; null where that is not known. */
  readonly triedAt: number | null;
}

export interface SessionStates {
  /** What changed last comes first. */
  readonly sessions: readonly SessionEntry[];
  readonly problems: readonly Problem[];
  /** What could not be looked at, so that there may be more sessions. */
  readonly failures: readonly Problem[];
}

/** What is needed to describe a session. */
interface Context {
  readonly config: Config;
  readonly target: TargetRecords;
  readonly lastRun: LastRun | null;
  readonly which: WhichPattern;
  readonly now: number;
}

/**
 * Every session there is, also what filters exclude, with its state in words. Changes nothing.
 *
 * @throws {LedgerError} when the ledger cannot be read
 * @throws {StoreError} when the folder of agents is there and cannot be read
 * @throws the signal's reason
 */
export async function readSessions(options: LookOptions): Promise<SessionStates> {
  const { stateDir, config, now } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const target = ledger.target(config);
  const chosen = createFilter(config.filter, ledger.firstRunAt ?? now());
  const filter = { ...chosen, needsNames: true, needsAllNames: true };
  const known = knownBytes(target);
  await using agents = await findAgents({
    ...options,
    filter,
    countExcluded: true,
    // Here it is asked how large a forgotten one is.
    knownBytes: (stream) => known(stream) || undefined,
  });
  const which = new WhichPattern(config.filter);
  const context = { config, target, lastRun: await readLastRun(stateDir), which, now: now() };
  const sessions: SessionEntry[] = [];
  const onSession = (session: SurveyedSession, streams: readonly FoundStream[]): void => {
    sessions.push(entryOf(session, streams, context));
  };
  const look = { ...surveyOf(options, filter, agents), ledger, target, onSession };
  const { problems, failedAgents } = await survey(look);
  sessions.sort((a, b) => b.changedAt - a.changedAt);
  return { sessions, problems: [...ledger.problems, ...problems], failures: failedAgents };
}

function entryOf(
  session: SurveyedSession,
  streams: readonly FoundStream[],
  context: Context,
): SessionEntry {
  const { key, agentId, sessionId, changedAt, state } = session;
  const { config, target, now } = context;
  const record = target.session(key);
  const names = namesOf(sessionId, streams);
  const bytes = streams.reduce((sum, { stream }) => sum + stream.bytes, 0);
  const sentLines = linesOf(record);
  const triedAt = record?.servedAt ?? null;
  const known: KnownOfSession = {
    state,
    bytes,
    sentLines,
    triedAt,
    fromLine: session.pending[0]?.record.position.lines ?? 0,
    kinds: names.kinds,
    startTime: startTimeOf(streams),
    pattern: patternOf(session, names, context.which),
    forgottenAt: record?.forgottenAt,
    isDeleted: record?.deleted === true,
    failed: postponedReason(session, context.lastRun),
  };
  const reason = describeState(known, config.filter, now);
  const called = { ...calledOf(names), names: names.names };
  return {
    key,
    agentId,
    sessionId,
    ...called,
    changedAt,
    bytes,
    state,
    reason,
    sentLines,
    triedAt,
  };
}

function linesOf(record: SessionRecord | undefined): number {
  const streams = Object.values(record?.streams ?? {});
  return streams.reduce((sum, { position }) => sum + position.lines, 0);
}

/** Of its first stream, where the listing tells. */
function startTimeOf(streams: readonly FoundStream[]): number | undefined {
  const times = streams.flatMap(({ stream }) => stream.startTime ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

function patternOf(
  { state, agent }: SurveyedSession,
  names: SessionNames,
  which: WhichPattern,
): string | undefined {
  if (state.kind !== "skipped") return undefined;
  const { filter } = state;
  const isDenied = filter === "filter.agents.deny" || filter === "filter.sessions.deny";
  return isDenied ? which.of(filter, agent.names, names) : undefined;
}

/** Why the last run could not send it, where it tried. */
function postponedReason(
  { agentId, sessionId }: SurveyedSession,
  lastRun: LastRun | null,
): string | undefined {
  return lastRun?.report?.postponed?.find(
    (note) => note.agentId === agentId && note.sessionId === sessionId,
  )?.reason;
}
