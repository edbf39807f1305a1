import type { Filter, FilterName, NameVerdict, SessionNames } from "../config/filter.ts";
import { MAX_SESSION_BACKOFF_MS } from "../ledger/backoff.ts";
import type { SessionRecord } from "../ledger/records.ts";
import { sessionKey } from "../ledger/session-key.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { isAhead } from "../shared/clock.ts";
import {
  describeReadFailure,
  NotASessionError,
  type Problem,
  SourceChangedError,
} from "../shared/problem.ts";
import type { Agent } from "../stores/agents.ts";
import { isIdle } from "../stores/idle.ts";
import { mergeFacts, NOTHING_KEPT } from "../stores/session-facts.ts";
import type { Reader } from "../stores/store.ts";
import { deliveredMessages, hasEnoughMessages } from "./messages.ts";
import {
  type FoundStream,
  isOvertaken,
  isUnchanged,
  type PendingStream,
  type ScanOptions,
  scanStreams,
} from "./scan-streams.ts";

export interface ExamineOptions extends ScanOptions {
  readonly filter: Filter;
  /** Also try sessions that are backed off and not due yet. */
  readonly retryBackedOff: boolean;
}

/** A session is in exactly one of these states. */
export type SessionState =
  /** `growing`: its last line is still being written. */
  | { readonly kind: "uploaded"; readonly growing: boolean }
  /** `settling`: the host is rewriting it, or it is not read to its end; it is looked at again later. */
  | { readonly kind: "pending"; readonly bytes: number; readonly settling: boolean }
  /** `messages`: how many it has, where that decided. */
  | {
      readonly kind: "skipped";
      readonly filter: FilterName | "forget";
      readonly messages?: number;
    }
  | { readonly kind: "failing"; readonly reason: string; readonly retryAt?: number };

export interface SurveyedSession {
  /** `<agentId>/<sessionId>` */
  readonly key: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly changedAt: number;
  readonly state: SessionState;
  /** In the order of delivery; empty unless the state is pending. */
  readonly pending: readonly PendingStream[];
  /** To examine it once more. */
  readonly agent: Pick<Agent, "agentId" | "names">;
  /** All streams there are, to examine it once more; empty unless the state is pending. */
  readonly streams: readonly FoundStream[];
}

/** A session whose state is not known yet. */
type Candidate = Omit<SurveyedSession, "state" | "pending">;

/**
 * Decides the state of one session, from all of its streams.
 * @returns null when it turns out to be no session; `problems` then says so
 * @throws the signal's reason
 */
export async function examine(
  options: ExamineOptions,
  agent: Candidate["agent"],
  sessionId: string,
  found: readonly FoundStream[],
  problems: Problem[],
): Promise<SurveyedSession | null> {
  const { agentId } = agent;
  const key = sessionKey(agentId, sessionId);
  const streams = found.toSorted((a, b) => (a.stream.rank < b.stream.rank ? -1 : 1));
  const changedAt = Math.max(...streams.map(({ stream }) => stream.changedAt));
  const candidate = { key, agentId, sessionId, changedAt, agent, streams };
  options.target.found(key);
  if (isForgotten(options.target, candidate)) return { ...candidate, ...FORGOTTEN };
  const names = namesOf(sessionId, streams);
  const byName = stateByName(options.filter.byName(agent.names, names));
  const outcome =
    byName?.kind === "skipped"
      ? { state: byName }
      : await stateByReading(options, candidate, byName, problems);
  if (outcome === null) return null;
  const isPending = outcome.state.kind === "pending";
  return { ...candidate, pending: [], ...outcome, streams: isPending ? streams : [] };
}

type Outcome = Pick<SurveyedSession, "state"> & Partial<Pick<SurveyedSession, "pending">>;

/**
 * What record and content of its streams say of it, as far as they have to be read; null when that is no session.
 * @param byName what its names leave it in, unless it is left out by when it began
 */
async function stateByReading(
  options: ExamineOptions,
  candidate: Candidate,
  byName: SessionState | null,
  problems: Problem[],
): Promise<Outcome | null> {
  const known = options.target.session(candidate.key);
  const readers: Reader[] = [];
  try {
    const byStart = await stateByStart(options, candidate);
    const filtered = byStart?.kind === "skipped" ? byStart : (byName ?? byStart);
    const state = filtered ?? stateBeforeReading(options, candidate);
    if (state !== null) return { state };
    return await scanAndCount(options, candidate, { readers, problems });
  } catch (error) {
    options.signal?.throwIfAborted();
    const state = stateByFailure(options, candidate, known, error);
    if (state !== null) return { state };
    options.target.drop(candidate.key);
    const { code, message } = describeReadFailure(error);
    problems.push({ code, agentId: candidate.agentId, message });
    return null;
  } finally {
    await Promise.allSettled(readers.map((reader) => reader.close()));
  }
}

async function scanAndCount(
  options: ExamineOptions,
  { key, streams }: Candidate,
  left: { readonly readers: Reader[]; readonly problems: Problem[] },
): Promise<Outcome> {
  const { filter, target, now } = options;
  const scan = await scanStreams(options, key, streams, left);
  const { bytes, growing } = scan;
  if (scan.settling) return { state: { kind: "pending", bytes, settling: true } };
  if (scan.pending.length === 0) return { state: { kind: "uploaded", growing } };
  const { minMessages } = filter;
  const counted = await hasEnoughMessages({ ...options, minMessages }, key, scan.pending);
  if (counted.verdict === "unknown") return { state: { kind: "pending", bytes, settling: true } };
  if (counted.verdict === "too-few") {
    const first = scan.pending[0];
    if (first !== undefined && streams.every(({ stream }) => isIdle(stream, now()))) {
      const idle = { signature: signatureOf(streams), held: counted.held, bytes: sizeOf(streams) };
      target.setIdle(key, first.stream.source, idle);
    }
    const messages = deliveredMessages(target.session(key)) + counted.held;
    return { state: { kind: "skipped", filter: "filter.minMessages", messages } };
  }
  // Without the readers: a survey of ten thousand sessions does not keep as many of them.
  const pending = scan.pending.map(({ reader: _, ...rest }) => rest);
  return { state: { kind: "pending", bytes, settling: false }, pending };
}

/**
 * What a failure to read a session means for it; null when what was read is no session.
 * @param known its record before it was read
 */
function stateByFailure(
  { now }: ExamineOptions,
  { changedAt, streams }: Candidate,
  known: SessionRecord | undefined,
  error: unknown,
): SessionState | null {
  const isNoSession = error instanceof NotASessionError;
  // The first bytes of a session that is being (re)written look like nothing yet.
  const isBeingWritten = isNoSession && !isIdle({ changedAt }, now());
  // Rewritten or removed while it was looked at: look again later.
  if (error instanceof SourceChangedError || isBeingWritten) {
    return { kind: "pending", bytes: sizeOf(streams), settling: true };
  }
  if (isNoSession && !hasDelivered(known)) return null;
  return { kind: "failing", reason: describeReadFailure(error).message };
}

/** What it means for a session when each of its streams began; null when it may go. */
async function stateByStart(
  options: ExamineOptions,
  { streams }: Candidate,
): Promise<SessionState | null> {
  let undecided: SessionState | null = null;
  for (const found of options.filter.needsStart ? streams : []) {
    const state = stateByName(await askByStart(options, found));
    if (state?.kind === "skipped") return state;
    // The first line of what is being (re)written may not be there yet.
    const isBeingWritten = state !== null && !isIdle(found.stream, options.now());
    undecided ??= isBeingWritten
      ? { kind: "pending", bytes: sizeOf(streams), settling: true }
      : state;
  }
  return undecided;
}

/** Opens only what has changed since the instant that decides, and where the listing does not tell. */
async function askByStart(
  { filter, signal }: ExamineOptions,
  { store, stream }: FoundStream,
): Promise<NameVerdict> {
  const { startTime, changedAt } = stream;
  if (startTime !== undefined) return filter.byStart(startTime, changedAt);
  const unread = filter.byStart(null, changedAt);
  if (unread.kind === "excluded") return unread;
  const reader = await store.open(stream, signal);
  try {
    return filter.byStart((await reader.startTime?.()) ?? null, changedAt);
  } finally {
    await reader.close();
  }
}

/** The state of a session for which its record, times and sizes are enough; null when it has to be read. */
function stateBeforeReading(
  { filter, target, retryBackedOff, now }: ExamineOptions,
  { key, streams }: Candidate,
): SessionState | null {
  const known = target.session(key);
  const backoff = known?.aside;
  if (
    backoff !== undefined &&
    isAhead(backoff.retryAt, now(), MAX_SESSION_BACKOFF_MS) &&
    !retryBackedOff
  ) {
    return { kind: "failing", reason: backoff.reason, retryAt: backoff.retryAt };
  }
  if (known !== undefined) {
    if (streams.every(({ stream }) => isUnchanged(known, stream)) && !isOvertaken(known, streams)) {
      return { kind: "uploaded", growing: false };
    }
    const messages = heldMessages(known, signatureOf(streams));
    if (messages !== undefined && messages < filter.minMessages) {
      return { kind: "skipped", filter: "filter.minMessages", messages };
    }
  }
  const bySize = hasDelivered(known) ? null : filter.bySize(sizeOf(streams));
  return bySize === null ? null : { kind: "skipped", filter: bySize };
}

/** One that may be another agent's is forgotten with it: in a folder that agents share, lists change. */
function isForgotten(
  target: TargetRecords,
  { key, sessionId, streams }: Pick<Candidate, "key" | "sessionId" | "streams">,
): boolean {
  const isDoubtful = streams.some(({ stream }) => stream.agentUnknown !== undefined);
  return target.isForgotten(key) || (isDoubtful && target.isForgottenId(sessionId));
}

export function hasDelivered(record: SessionRecord | undefined): boolean {
  return Object.values(record?.streams ?? {}).some(({ position }) => position.lines > 0);
}

/** How many messages the same scan found before, when they were too few; undefined when they were not. */
function heldMessages(record: SessionRecord, signature: string): number | undefined {
  const held = Object.values(record.streams).flatMap(({ idle }) =>
    idle?.held !== undefined && idle.signature === signature ? [idle.held] : [],
  );
  return held.length === 0 ? undefined : deliveredMessages(record) + Math.min(...held);
}

function sizeOf(streams: readonly FoundStream[]): number {
  return streams.reduce((sum, { stream }) => sum + stream.bytes, 0);
}

function signatureOf(streams: readonly FoundStream[]): string {
  return streams.map(({ stream }) => stream.signature).join("|");
}

/** The state that a filter leaves a session in; null when it lets it pass. */
export function stateByName(verdict: NameVerdict): SessionState | null {
  switch (verdict.kind) {
    case "passes":
      return null;
    case "excluded":
      return { kind: "skipped", filter: verdict.filter };
    case "undecidable":
      return { kind: "failing", reason: verdict.reason };
  }
}

const FORGOTTEN: Pick<SurveyedSession, "state" | "pending" | "streams"> = {
  state: { kind: "skipped", filter: "forget" },
  pending: [],
  streams: [],
};

/** The session as what it is once it is forgotten. */
export function forgotten(session: SurveyedSession): SurveyedSession {
  return { ...session, ...FORGOTTEN };
}

/** All that a session is called, and is, by any of its streams. */
export function namesOf(sessionId: string, found: readonly FoundStream[]): SessionNames {
  const streams = found.map(({ stream }) => stream);
  return {
    sessionId,
    names: streams.flatMap(({ names }) => names),
    ...mergeFacts(streams.map(({ facts = NOTHING_KEPT }) => facts)),
    namesUnknown: streams.find(({ namesUnknown }) => namesUnknown !== undefined)?.namesUnknown,
    agentUnknown: streams.find(({ agentUnknown }) => agentUnknown !== undefined)?.agentUnknown,
  };
}
