import { digest } from "./ledger/ledger.ts";
import type { PlannedPart, SessionRecord, StreamRecord } from "./ledger/records.ts";
import { type Candidate, inOrder, shareOut } from "./plan.ts";
import { SourceChangedError } from "./problem.ts";
import { MAX_PART_BYTES, type Reader, type Store, type Stream } from "./stores/store.ts";
import { type PendingStream, readFailure, type SurveyedSession } from "./survey.ts";

/** What a line that is left out counts for: about the size of the record that is sent for it, in bytes. */
const OMITTED_BYTES = 256;

export interface PlanLimits {
  readonly maxSessions: number;
  /** Bytes of source. */
  readonly maxBytes: number;
  /** Largest part, in bytes of source. */
  readonly maxPartBytes: number;
}

/** A stream and the parts of it that this run sends, which are written in its record. */
export interface PlannedStream {
  readonly store: Store;
  readonly stream: Stream;
  readonly record: StreamRecord;
  /** With these parts delivered, nothing is left of the stream as it was found. */
  readonly whole: boolean;
}

export interface PlannedSession {
  readonly session: SurveyedSession;
  readonly streams: readonly PlannedStream[];
  /** Bytes of source. */
  readonly bytes: number;
}

export interface PlanOptions {
  readonly sessions: readonly SurveyedSession[];
  readonly records: Readonly<Record<string, SessionRecord>>;
  readonly limits: PlanLimits;
  /** Part of every idempotency key. */
  readonly destination: readonly string[];
  /** The one instant of this run, ISO 8601. */
  readonly capturedAt: string;
  readonly signal: AbortSignal;
}

interface PendingSession extends Candidate {
  readonly session: SurveyedSession;
}

/** What a run that died, or spent its retries, had planned goes first and as it was. */
const isResumed = ({ pending }: SurveyedSession): boolean =>
  pending.some(({ record }) => record.parts !== undefined);

/**
 * Chooses what this run sends and writes it into the sessions' records as parts
 * with their ranges and keys. Nothing is sent, nothing is saved. The sum of all
 * parts stays within the budget, except that one entry which is larger than the
 * whole budget goes alone.
 */
export async function planParts(options: PlanOptions): Promise<PlannedSession[]> {
  const { sessions, records, limits } = options;
  const waiting = sessions
    .filter((session) => session.state.kind === "pending" && session.pending.length > 0)
    .map((session) => candidate(session, records[session.key]));
  const resumed = inOrder(waiting.filter(({ session }) => isResumed(session)));
  const planned: PlannedSession[] = [];
  let budget = limits.maxBytes;
  for (const { session } of resumed) {
    const bytes = plannedBytes(session);
    if (planned.length >= limits.maxSessions) break;
    if (bytes > budget && planned.length > 0) continue;
    planned.push({ session, streams: withParts(session.pending), bytes });
    budget -= bytes;
  }
  const rest = inOrder(waiting.filter(({ session }) => !isResumed(session)));
  const [head, ...others] = rest.slice(0, limits.maxSessions - planned.length);
  if (head === undefined || budget <= 0) return planned;

  // Whoever waited longest gets at least its first entry, however large that is.
  const share = shareOut([head, ...others], budget).find((one) => one.candidate === head);
  let first = await planSession(options, head.session, share?.bytes ?? 0);
  if (typeof first === "number") {
    const alone = planned.length === 0 ? first : 0;
    if (first <= budget || alone > 0) first = await planSession(options, head.session, first);
  }
  if (typeof first !== "number") {
    planned.push(first);
    budget -= first.bytes;
  }
  for (const { candidate: next, bytes } of shareOut(others, Math.max(0, budget))) {
    const part = await planSession(options, next.session, bytes);
    if (typeof part !== "number") planned.push(part);
  }
  return planned;
}

/** The session's parts within `budget`, or the size of its first entry when that is larger. */
async function planSession(
  options: PlanOptions,
  session: SurveyedSession,
  budget: number,
): Promise<PlannedSession | number> {
  let bytes = 0;
  const streams: PlannedStream[] = [];
  for (const pending of session.pending) {
    const reader = await orNull(pending.store.open(pending.stream));
    if (reader === null) break;
    try {
      const cut = await orNull(cutStream(options, session, pending, reader, budget - bytes));
      if (cut === null) break;
      if (typeof cut === "number") {
        if (streams.length === 0 && cut > budget) return cut;
        break;
      }
      bytes += cut.bytes;
      if (cut.parts.length > 0) {
        pending.record.parts = cut.parts;
        const { store, stream, record } = pending;
        streams.push({ store, stream, record, whole: cut.end === "rest" });
      }
      if (cut.end === "more") break;
    } finally {
      await reader.close();
    }
  }
  return { session, streams, bytes };
}

interface CutStream {
  readonly parts: PlannedPart[];
  readonly bytes: number;
  /** What follows: more to send, a line that is still being written, or nothing. */
  readonly end: "more" | "torn" | "rest";
}

async function cutStream(
  { limits, destination, capturedAt, signal }: PlanOptions,
  session: SurveyedSession,
  { record }: PendingStream,
  reader: Reader,
  budget: number,
): Promise<CutStream | number> {
  const parts: PlannedPart[] = [];
  let from = record.position.offset;
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const maxBytes = Math.min(limits.maxPartBytes, MAX_PART_BYTES, budget - bytes);
    if (maxBytes <= 0) return { parts, bytes, end: "more" };
    let cut = await reader.cut(from, { maxBytes, signal });
    if (cut.kind === "over" && cut.bytes <= budget - bytes) {
      // A line above the API's part limit is tried alone before it is left out.
      cut = await reader.cut(from, { maxBytes: cut.bytes, signal });
    }
    if (cut.kind === "end") return { parts, bytes, end: cut.torn ? "torn" : "rest" };
    if (cut.kind === "over") return parts.length > 0 ? { parts, bytes, end: "more" } : cut.bytes;
    if (cut.blank === true && parts.length === 0) {
      const { end: offset, fingerprint } = cut;
      record.position = { ...record.position, offset, fingerprint };
    } else if (cut.blank !== true) {
      const name = [session.agentId, session.sessionId, record.generation, from, cut.end];
      parts.push({
        end: cut.end,
        bytes: cut.omitted ? OMITTED_BYTES : cut.bytes,
        fingerprint: cut.fingerprint,
        idempotencyKey: digest([...destination, ...name, capturedAt, cut.omitted]),
        capturedAt,
        ...(cut.omitted ? { omitted: cut.bytes - 1 } : {}),
      });
      bytes += cut.omitted ? OMITTED_BYTES : cut.bytes;
    } else {
      // Blank lines behind a part wait for what follows them.
      return { parts, bytes, end: "more" };
    }
    from = cut.end;
  }
}

/** A stream that cannot be read any more is left for the next run, which tells why. */
async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SourceChangedError || readFailure(error) !== null) return null;
    throw error;
  }
}

function candidate(session: SurveyedSession, record: SessionRecord | undefined): PendingSession {
  const bytes = session.state.kind === "pending" ? session.state.bytes : 0;
  const { key, changedAt } = session;
  return { key, bytes, servedAt: record?.servedAt ?? 0, changedAt, session };
}

function plannedBytes(session: SurveyedSession): number {
  const parts = session.pending.flatMap(({ record }) => record.parts ?? []);
  return parts.reduce((sum, part) => sum + part.bytes, 0);
}

function withParts(pending: readonly PendingStream[]): PlannedStream[] {
  return pending
    .filter(({ record }) => record.parts !== undefined)
    .map(({ store, stream, record }) => ({ store, stream, record, whole: false }));
}
