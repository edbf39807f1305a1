import type { SurveyedSession } from "../discovery/examine.ts";
import type { PendingStream } from "../discovery/scan-streams.ts";
import { digest } from "../ledger/ledger.ts";
import type { PlannedPart, SessionRecord, StreamRecord } from "../ledger/records.ts";
import { MAX_PART_BYTES } from "../protocol/limits.ts";
import type { Position, Reader, Store, Stream } from "../stores/store.ts";
import { allocateBudget, type Candidate, inOrder } from "./budget.ts";

/** What a line that is left out counts for: about the size of the record that is sent for it, in bytes. */
const OMITTED_BYTES = 256;

export interface PlanLimits {
  readonly maxSessions: number;
  /** Bytes of source. */
  readonly maxBytes: number;
  /** Largest part, in bytes of source. */
  readonly maxPartBytes: number;
  /** Nothing has been planned under these limits, so one entry larger than them may go alone. */
  readonly isFirst: boolean;
}

/** A stream and how much of it this run sends. */
export interface PlannedStream {
  readonly store: Store;
  readonly stream: Stream;
  readonly record: StreamRecord;
  /** Where the first part begins: behind white space that lies at the record's position. */
  readonly start: Position;
  /** In order; none when there is only white space, and those of an earlier plan may go on behind `until`. */
  readonly parts: readonly PlannedPart[];
  /** End of the last part that this run sends. */
  readonly until: number;
  /** With these parts delivered, nothing is left of the stream as it was found. */
  readonly whole: boolean;
}

export interface PlannedSession {
  readonly session: SurveyedSession;
  readonly streams: readonly PlannedStream[];
  /** Bytes of source. */
  readonly bytes: number;
  /** Nothing that was found of the session waits for a later run. */
  readonly complete: boolean;
  /** Thrown when what follows the parts was looked at: it is reported once these have arrived. */
  readonly error?: unknown;
}

export interface PlanOptions {
  readonly sessions: readonly SurveyedSession[];
  readonly records: Readonly<Record<string, SessionRecord>>;
  readonly limits: PlanLimits;
  /** Part of every idempotency key. */
  readonly destination: readonly string[];
  /** The one instant of this run, ISO 8601. */
  readonly capturedAt: string;
  /** ms since the epoch */
  readonly now: number;
  /** Version of what a session's lines go through before they leave. */
  readonly transformOf: (session: SurveyedSession) => string;
  /** Plan again, from the start, what an earlier run had planned and not confirmed: for a dry run. */
  readonly replan?: boolean | undefined;
  readonly signal: AbortSignal;
}

interface PendingSession extends Candidate {
  readonly session: SurveyedSession;
}

/**
 * Chooses what this run sends, as parts with their ranges and keys. Nothing is sent,
 * nothing is written down. The sum of all parts stays within the budget, except that one entry, or one part of an earlier
 * plan, which is larger than the whole budget goes alone. Each session in the plan gets further by it, or has an error.
 */
export async function planParts(options: PlanOptions): Promise<PlannedSession[]> {
  const { sessions, records, limits } = options;
  const waiting = sessions
    .filter((session) => session.state.kind === "pending" && session.pending.length > 0)
    .map((session) => candidate(session, records[session.key], options));
  const interrupted = ({ session: { key } }: PendingSession): boolean => records[key]?.tries === 1;
  const order = [
    // What a run that died had planned goes first; what it could not send either waits in the queue.
    ...inOrder(waiting.filter(interrupted)),
    ...inOrder(waiting.filter((one) => !interrupted(one))),
  ];
  const [head, ...others] = order.slice(0, limits.maxSessions);
  if (head === undefined) return [];

  // Whoever waited longest gets at least its first entry, however large that is.
  const share = allocateBudget([head, ...others], limits.maxBytes).find(
    (one) => one.candidate === head,
  );
  let first = await planSession(options, head.session, share?.bytes ?? 0);
  if (typeof first === "number" && limits.isFirst) {
    first = await planSession(options, head.session, first);
  }
  const planned = typeof first === "number" ? [] : [first];
  const left = limits.maxBytes - planned.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { candidate: next, bytes } of allocateBudget(others, Math.max(0, left))) {
    const part = await planSession(options, next.session, bytes);
    if (typeof part !== "number") planned.push(part);
  }
  // One that has nothing any more, or was given too little, keeps its place in the queue: losing it would not get it further.
  return planned.filter(({ streams, error }) => streams.length > 0 || error !== undefined);
}

/** The session's parts within `budget`, or the size of its first one when that is larger. */
async function planSession(
  options: PlanOptions,
  session: SurveyedSession,
  budget: number,
): Promise<PlannedSession | number> {
  if (!options.replan && session.pending.some(({ record }) => record.parts !== undefined)) {
    return planAgain(options, session, budget);
  }
  let bytes = 0;
  const streams: PlannedStream[] = [];
  const planned = (complete: boolean, error?: unknown): PlannedSession => {
    return { session, streams, bytes, complete, error };
  };
  for (const pending of session.pending) {
    const cut = await cutStream(options, session, pending, budget - bytes);
    if (typeof cut === "number") return streams.length === 0 ? cut : planned(false);
    bytes += cut.bytes;
    const { start, parts, end, error } = cut;
    const { store, stream, record } = pending;
    if (parts.length > 0 || start !== record.position) {
      const until = parts.at(-1)?.end ?? start.offset;
      streams.push({ store, stream, record, start, parts, until, whole: end === "rest" });
    }
    if (end === "more") return planned(false, error);
  }
  return planned(true);
}

/** As many of the parts of an earlier plan as fit into `budget`; or the size of the first one. */
function planAgain(
  { transformOf }: PlanOptions,
  session: SurveyedSession,
  budget: number,
): PlannedSession | number {
  const transform = transformOf(session);
  const streams: PlannedStream[] = [];
  let bytes = 0;
  for (const { store, stream, record } of session.pending) {
    const { position: start } = record;
    const parts = record.parts?.map((part) => withTransform(part, transform));
    if (parts === undefined) continue;
    let until = start.offset;
    for (const part of parts) {
      if (bytes + part.bytes > budget) {
        if (bytes === 0) return part.bytes;
        break;
      }
      bytes += part.bytes;
      until = part.end;
    }
    if (until === start.offset) break;
    streams.push({ store, stream, record, start, parts, until, whole: false });
    if (until !== parts.at(-1)?.end) break;
  }
  return { session, streams, bytes, complete: false };
}

/**
 * A part as it is, unless its lines go through something else now: then its bytes differ, and a
 * key that was used for others must not stand for them. What had arrived under the old key is
 * answered with 409, and the session begins a new generation.
 */
function withTransform(part: PlannedPart, transform: string): PlannedPart {
  if (part.transform === transform) return part;
  const idempotencyKey = digest([part.idempotencyKey, part.transform, transform]);
  return { ...part, idempotencyKey, transform };
}

interface CutStream {
  start: Position;
  readonly parts: PlannedPart[];
  bytes: number;
  /** What follows: more to send, a line that is still being written, or nothing. */
  end: "more" | "torn" | "rest";
  /** Why the stream cannot be read further. */
  error?: unknown;
}

/** What of a stream fits into `budget`, as far as it can be read; or the size of its first part when that is larger. */
async function cutStream(
  options: PlanOptions,
  session: SurveyedSession,
  { store, stream, record }: PendingStream,
  budget: number,
): Promise<CutStream | number> {
  const found: CutStream = { start: record.position, parts: [], bytes: 0, end: "more" };
  try {
    const reader = await store.open(stream, options.signal);
    try {
      const end = await cutParts(options, session, record, reader, budget, found);
      if (typeof end === "number") return end;
      found.end = end;
    } finally {
      await reader.close();
    }
  } catch (error) {
    options.signal.throwIfAborted();
    found.error = error;
  }
  return found;
}

/** Adds part after part to `found`; returns its new end, or the size of the first part when that is too large. */
async function cutParts(
  { limits, destination, capturedAt, transformOf, signal }: PlanOptions,
  session: SurveyedSession,
  record: StreamRecord,
  reader: Reader,
  budget: number,
  found: CutStream,
): Promise<CutStream["end"] | number> {
  const { parts } = found;
  const transform = transformOf(session);
  for (let from = found.start.offset; ; ) {
    signal.throwIfAborted();
    const left = budget - found.bytes;
    const maxBytes = Math.min(limits.maxPartBytes, MAX_PART_BYTES, left);
    if (maxBytes <= 0) return "more";
    let cut = await reader.cut(from, { maxBytes, signal, searched: record.searched });
    if (cut.kind === "over" && cut.bytes <= left) {
      // A line above the API's part limit is tried alone before it is left out.
      cut = await reader.cut(from, { maxBytes: cut.bytes, signal });
    }
    // What was cut off is scanned again, so that it is reported each time.
    if (cut.kind === "end") return cut.torn || cut.cutOff !== undefined ? "torn" : "rest";
    if (cut.kind === "unfinished") return "more";
    if (cut.kind === "over") return parts.length > 0 ? "more" : cut.bytes;
    // Blank lines behind a part wait for what follows them.
    if (cut.blank === true && parts.length > 0) return "more";
    if (cut.blank === true) {
      found.start = { ...found.start, offset: cut.end, fingerprint: cut.fingerprint };
    } else {
      const name = [session.agentId, session.sessionId, record.generation, from, cut.end];
      const bytes = cut.omitted ? OMITTED_BYTES : cut.bytes;
      parts.push({
        end: cut.end,
        bytes,
        fingerprint: cut.fingerprint,
        idempotencyKey: digest([...destination, ...name, capturedAt, cut.omitted, transform]),
        capturedAt,
        ...(cut.omitted ? { omitted: cut.bytes - 1 } : {}),
        transform,
      });
      found.bytes += bytes;
    }
    from = cut.end;
  }
}

function candidate(
  session: SurveyedSession,
  record: SessionRecord | undefined,
  { now, replan = false }: PlanOptions,
): PendingSession {
  const { key, changedAt, state, pending } = session;
  const planned = replan ? [] : pending.flatMap(({ record: { parts } }) => parts ?? []);
  const found = state.kind === "pending" ? state.bytes : 0;
  const bytes = planned.length === 0 ? found : planned.reduce((sum, part) => sum + part.bytes, 0);
  // An instant that is still to come is from a clock that was ahead, and says nothing.
  const servedAt = (record?.servedAt ?? 0) > now ? 0 : (record?.servedAt ?? 0);
  return { key, bytes, servedAt, changedAt, session };
}
