import type { SurveyedSession } from "../discovery/examine.ts";
import type { PendingStream } from "../discovery/scan-streams.ts";
import { digest } from "../ledger/ledger.ts";
import type { PlannedPart, SessionRecord, StreamRecord } from "../ledger/records.ts";
import { MAX_PART_BYTES } from "../protocol/limits.ts";
import type { Position, Reader, Store, Stream } from "../stores/store.ts";
import { type Candidate, inOrder, shareOut } from "./shares.ts";

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
  /** Plan anew what an earlier run had planned and not confirmed: for one that only asks what would go. */
  readonly anew?: boolean | undefined;
  readonly signal: AbortSignal;
}

interface PendingSession extends Candidate {
  readonly session: SurveyedSession;
}

/**
 * Chooses what this run sends, as parts with their ranges and keys. Nothing is sent,
 * nothing is written down. The sum of all parts stays within the budget, except that one entry, or one part of an earlier
 * plan, which is larger than the whole budget goes alone.
 */
export async function planParts(options: PlanOptions): Promise<PlannedSession[]> {
  const { sessions, records, limits } = options;
  const waiting = sessions
    .filter((session) => session.state.kind === "pending" && session.pending.length > 0)
    .map((session) => candidate(session, records[session.key], options));
  const interrupted = ({ session: { key } }: PendingSession): boolean => records[key]?.tries === 1;
  const order = [
    // What a run that died had planned goes first; what it could not send either waits its turn.
    ...inOrder(waiting.filter(interrupted)),
    ...inOrder(waiting.filter((one) => !interrupted(one))),
  ];
  const [head, ...others] = order.slice(0, limits.maxSessions);
  if (head === undefined) return [];

  // Whoever waited longest gets at least its first entry, however large that is.
  const share = shareOut([head, ...others], limits.maxBytes).find((one) => one.candidate === head);
  let first = await planSession(options, head.session, share?.bytes ?? 0);
  if (typeof first === "number" && limits.isFirst) {
    first = await planSession(options, head.session, first);
  }
  const planned = typeof first === "number" ? [] : [first];
  const left = limits.maxBytes - planned.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { candidate: next, bytes } of shareOut(others, Math.max(0, left))) {
    const part = await planSession(options, next.session, bytes);
    if (typeof part !== "number") planned.push(part);
  }
  return planned;
}

/** The session's parts within `budget`, or the size of its first one when that is larger. */
async function planSession(
  options: PlanOptions,
  session: SurveyedSession,
  budget: number,
): Promise<PlannedSession | number> {
  if (!options.anew && session.pending.some(({ record }) => record.parts !== undefined)) {
    return planAgain(session, budget);
  }
  let bytes = 0;
  let complete = true;
  const streams: PlannedStream[] = [];
  for (const pending of session.pending) {
    complete = false;
    const reader = await orNull(options, pending.store.open(pending.stream, options.signal));
    if (reader === null) break;
    try {
      const cut = await orNull(
        options,
        cutStream(options, session, pending, reader, budget - bytes),
      );
      if (cut === null) break;
      if (typeof cut === "number") {
        if (streams.length === 0 && cut > budget) return cut;
        break;
      }
      bytes += cut.bytes;
      const { start, parts } = cut;
      const { store, stream, record } = pending;
      if (parts.length > 0 || start !== record.position) {
        const until = parts.at(-1)?.end ?? start.offset;
        streams.push({ store, stream, record, start, parts, until, whole: cut.end === "rest" });
      }
      if (cut.end === "more") break;
      complete = true;
    } finally {
      await reader.close();
    }
  }
  return { session, streams, bytes, complete };
}

/** As many of the parts of an earlier plan, as they are, as fit into `budget`; or the size of the first one. */
function planAgain(session: SurveyedSession, budget: number): PlannedSession | number {
  const streams: PlannedStream[] = [];
  let bytes = 0;
  for (const { store, stream, record } of session.pending) {
    const { parts, position: start } = record;
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

interface CutStream {
  readonly start: Position;
  readonly parts: readonly PlannedPart[];
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
  let start: Position = record.position;
  let from = start.offset;
  let bytes = 0;
  const cutUp = (end: CutStream["end"]): CutStream => ({ start, parts, bytes, end });
  for (;;) {
    signal.throwIfAborted();
    const maxBytes = Math.min(limits.maxPartBytes, MAX_PART_BYTES, budget - bytes);
    if (maxBytes <= 0) return cutUp("more");
    let cut = await reader.cut(from, { maxBytes, signal, searched: record.searched });
    if (cut.kind === "over" && cut.bytes <= budget - bytes) {
      // A line above the API's part limit is tried alone before it is left out.
      cut = await reader.cut(from, { maxBytes: cut.bytes, signal });
    }
    // What was cut off is scanned again, so that it is reported each time.
    if (cut.kind === "end") {
      return cutUp(cut.torn || cut.cutOff !== undefined ? "torn" : "rest");
    }
    if (cut.kind === "unfinished") return cutUp("more");
    if (cut.kind === "over") return parts.length > 0 ? cutUp("more") : cut.bytes;
    if (cut.blank === true && parts.length === 0) {
      start = { ...start, offset: cut.end, fingerprint: cut.fingerprint };
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
      return cutUp("more");
    }
    from = cut.end;
  }
}

/** A stream that cannot be read any more is left for the next run, which tells why. */
async function orNull<T>({ signal }: PlanOptions, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

function candidate(
  session: SurveyedSession,
  record: SessionRecord | undefined,
  { now, anew = false }: PlanOptions,
): PendingSession {
  const { key, changedAt, state, pending } = session;
  const planned = anew ? [] : pending.flatMap(({ record: { parts } }) => parts ?? []);
  const found = state.kind === "pending" ? state.bytes : 0;
  const bytes = planned.length === 0 ? found : planned.reduce((sum, part) => sum + part.bytes, 0);
  // An instant that is still to come is from a clock that was ahead, and says nothing.
  const servedAt = (record?.servedAt ?? 0) > now ? 0 : (record?.servedAt ?? 0);
  return { key, bytes, servedAt, changedAt, session };
}
