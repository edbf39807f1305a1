import type { Filter, FilterName, SessionNames } from "../config/filter.ts";
import { type Ledger, sessionKey } from "../ledger/ledger.ts";
import type { SessionRecord, StreamRecord } from "../ledger/records.ts";
import { MAX_ASIDE_MS, newestSent, type TargetRecords } from "../ledger/target.ts";
import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../protocol/limits.ts";
import { isAhead } from "../shared/clock.ts";
import {
  describeReadFailure,
  NotASessionError,
  type Problem,
  SourceChangedError,
} from "../shared/problem.ts";
import type { Agent } from "../stores/agents.ts";
import { isAtRest } from "../stores/at-rest.ts";
import { type Cut, type Reader, START, type Store, type Stream } from "../stores/store.ts";
import { deliveredMessages, hasEnoughMessages } from "./messages.ts";
import { resolveStream } from "./resolve.ts";

export interface ExamineOptions {
  readonly filter: Filter;
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  /** Also look at sessions that were put aside and are not due yet. */
  readonly retryAside: boolean;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** One of the streams of a session, and where it is read. */
export interface FoundStream {
  readonly store: Store;
  readonly stream: Stream;
}

/** A session is in exactly one of these states. */
export type SessionState =
  /** `growing`: its last line is still being written. */
  | { readonly kind: "uploaded"; readonly growing: boolean }
  /** `settling`: the host is rewriting it, or it is not read to its end; it is looked at again later. */
  | { readonly kind: "pending"; readonly bytes: number; readonly settling: boolean }
  | { readonly kind: "skipped"; readonly filter: FilterName }
  | { readonly kind: "failing"; readonly reason: string; readonly retryAt?: number };

/** A stream with something to send. */
export interface PendingStream {
  readonly store: Store;
  readonly stream: Stream;
  readonly record: StreamRecord;
  /** Bytes of source after the record's position. */
  readonly bytes: number;
}

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

/**
 * Decides the state of one session, from all of its streams.
 * @returns null when it turns out to be no session; `problems` then says so
 * @throws the signal's reason
 */
export async function examine(
  options: ExamineOptions,
  agent: Pick<Agent, "agentId" | "names">,
  sessionId: string,
  found: readonly FoundStream[],
  problems: Problem[],
): Promise<SurveyedSession | null> {
  const { agentId } = agent;
  const { target, now } = options;
  const key = sessionKey(agentId, sessionId);
  const streams = found.toSorted((a, b) => (a.stream.rank < b.stream.rank ? -1 : 1));
  const changedAt = Math.max(...streams.map(({ stream }) => stream.changedAt));
  const session = (state: SessionState, pending: PendingStream[] = []): SurveyedSession => {
    const again = state.kind === "pending" ? streams : [];
    return { key, agentId, sessionId, changedAt, state, pending, agent, streams: again };
  };
  const known = target.session(key);
  const state = stateBeforeReading(options, { agent, sessionId, streams });
  if (state !== null) return session(state);
  const size = sizeOf(streams);
  const readers: Reader[] = [];
  try {
    const scan = await scanStreams(options, key, streams, { readers, problems });
    if (scan.settling) return session({ kind: "pending", bytes: scan.bytes, settling: true });
    if (scan.pending.length === 0) return session({ kind: "uploaded", growing: scan.growing });
    const { minMessages } = options.filter;
    const counted = await hasEnoughMessages({ ...options, minMessages }, key, scan.pending);
    if (counted.verdict === "unknown") {
      return session({ kind: "pending", bytes: scan.bytes, settling: true });
    }
    if (counted.verdict === "too-few") {
      const first = scan.pending[0];
      if (first !== undefined && streams.every(({ stream }) => isAtRest(stream, now()))) {
        const idle = { signature: signatureOf(streams), held: counted.held, bytes: size };
        target.setIdle(key, first.stream.source, idle);
      }
      return session({ kind: "skipped", filter: "filter.minMessages" });
    }
    // Without the readers: a survey of ten thousand sessions does not keep as many of them.
    const pending = scan.pending.map(({ reader: _, ...rest }) => rest);
    return session({ kind: "pending", bytes: scan.bytes, settling: false }, pending);
  } catch (error) {
    options.signal?.throwIfAborted();
    // Rewritten or removed while it was looked at: look again later.
    if (error instanceof SourceChangedError) {
      return session({ kind: "pending", bytes: size, settling: true });
    }
    const { code, message: reason } = describeReadFailure(error);
    if (error instanceof NotASessionError) {
      // The first bytes of a session that is being (re)written look like nothing yet.
      if (!isAtRest({ changedAt }, now())) {
        return session({ kind: "pending", bytes: size, settling: true });
      }
      if (isBegun(known)) return session({ kind: "failing", reason });
      target.forget(key);
      problems.push({ code, agentId, message: reason });
      return null;
    }
    return session({ kind: "failing", reason });
  } finally {
    await Promise.allSettled(readers.map((reader) => reader.close()));
  }
}

/** The state of a session for which its names, times and sizes are enough; null when it has to be read. */
function stateBeforeReading(
  { filter, target, retryAside, now }: ExamineOptions,
  { agent, sessionId, streams }: Pick<SurveyedSession, "agent" | "sessionId" | "streams">,
): SessionState | null {
  const key = sessionKey(agent.agentId, sessionId);
  target.found(key);
  const byName = filter.byName(agent.names, namesOf(sessionId, streams));
  if (byName.kind === "excluded") return { kind: "skipped", filter: byName.filter };
  if (byName.kind === "undecidable") return { kind: "failing", reason: byName.reason };
  const known = target.session(key);
  const aside = known?.aside;
  if (aside !== undefined && isAhead(aside.retryAt, now(), MAX_ASIDE_MS) && !retryAside) {
    return { kind: "failing", reason: aside.reason, retryAt: aside.retryAt };
  }
  if (known !== undefined) {
    if (streams.every(({ stream }) => isIdle(known, stream))) {
      return { kind: "uploaded", growing: false };
    }
    if (isHeldBack(known, signatureOf(streams), filter.minMessages)) {
      return { kind: "skipped", filter: "filter.minMessages" };
    }
  }
  const bySize = isBegun(known) ? null : filter.bySize(sizeOf(streams));
  return bySize === null ? null : { kind: "skipped", filter: bySize };
}

function isBegun(record: SessionRecord | undefined): boolean {
  return Object.values(record?.streams ?? {}).some(({ position }) => position.lines > 0);
}

/** The stream was scanned before, as it is now, and there was nothing left to send. */
function isIdle(record: SessionRecord | undefined, { source, signature }: Stream): boolean {
  const idle = record?.streams[source]?.idle;
  return idle?.signature === signature && idle.held === undefined;
}

/** The same scan found too few messages before, and still does under today's filter. */
function isHeldBack(record: SessionRecord, signature: string, minMessages: number): boolean {
  return Object.values(record.streams).some(
    ({ idle }) =>
      idle?.held !== undefined &&
      idle.signature === signature &&
      deliveredMessages(record) + idle.held < minMessages,
  );
}

function sizeOf(streams: readonly FoundStream[]): number {
  return streams.reduce((sum, { stream }) => sum + stream.bytes, 0);
}

function signatureOf(streams: readonly FoundStream[]): string {
  return streams.map(({ stream }) => stream.signature).join("|");
}

export interface OpenStream extends PendingStream {
  readonly reader: Reader;
}

interface StreamScan {
  readonly pending: readonly OpenStream[];
  readonly bytes: number;
  readonly growing: boolean;
  readonly settling: boolean;
}

/**
 * Finds what is left of each stream. What is sent last is what a server holds as the
 * newest, so when something of an earlier stream is (still, or again) to be sent, the
 * later ones begin anew behind it: the present must come last, whenever the past came
 * to light.
 */
async function scanStreams(
  options: ExamineOptions,
  key: string,
  streams: readonly FoundStream[],
  { readers, problems }: { readers: Reader[]; problems: Problem[] },
): Promise<StreamScan> {
  const { target, signal } = options;
  const pending: OpenStream[] = [];
  let bytes = 0;
  let growing = false;
  let searching = false;
  for (const { store, stream } of streams) {
    // A database continues a file where the file ended: that is known once the file has been delivered.
    const before = pending.at(-1);
    if (before !== undefined && before.store.kind !== store.kind) break;
    if (before === undefined && isIdle(target.session(key), stream)) continue;

    const reader = await store.open(stream, signal);
    readers.push(reader);
    let record = await resolveStream({ ...options, key, store, stream, reader });
    if (record === "unsettled") {
      return { pending: [], bytes: Math.max(bytes, stream.bytes), growing, settling: true };
    }
    if (before !== undefined && !isPlannedBehind(record, before.record)) {
      record = target.begin(key, stream.source, store.kind, START);
    }
    const next = await nextRange(options, key, { stream, reader, record });
    if (next.kind === "end") {
      growing ||= next.torn;
      if (next.cutOff !== undefined) problems.push(neverFinished(stream, next.cutOff));
      continue;
    }
    if (next.kind === "unfinished") {
      searching = true;
      bytes += await reader.bytesAfter(record.position.offset);
      continue;
    }
    // Parts that were planned before go as they are, whatever was planned behind them.
    if (record.parts === undefined && record.generation < newestSent(target, key)) {
      record = target.begin(key, stream.source, store.kind, START);
    }
    signal?.throwIfAborted();
    target.setIdle(key, stream.source, undefined);
    const left = await reader.bytesAfter(record.position.offset);
    bytes += left;
    pending.push({ store, stream, record, bytes: left, reader });
  }
  return { pending, bytes, growing, settling: searching && pending.length === 0 };
}

/**
 * Whether what is sent of `record` comes behind what is sent of an earlier stream: nothing
 * of it was sent yet, or both are from one plan, which is carried out in its order.
 */
function isPlannedBehind(
  { generation, position, parts }: StreamRecord,
  before: StreamRecord,
): boolean {
  const isSent = position.lines > 0 || parts !== undefined;
  return generation > before.generation && (!isSent || before.parts !== undefined);
}

/** What is behind the position; what was found out is remembered, so that it need not be again. */
async function nextRange(
  { target, now, signal }: ExamineOptions,
  key: string,
  { stream, reader, record }: Pick<OpenStream, "stream" | "reader" | "record">,
): Promise<Cut> {
  const { source, signature, bytes } = stream;
  const { position, searched } = record;
  const from = position.offset;
  const cut = await reader.cut(from, {
    maxBytes: MAX_PART_BYTES,
    searched,
    ...(signal && { signal }),
  });
  if (cut.kind === "unfinished") target.setSearched(key, source, cut.searched);
  // What was cut off is not remembered as idle, so that it is reported each time.
  if (cut.kind !== "end" || cut.cutOff !== undefined) return cut;
  // A torn line may be whole once the file has come to rest, which no signature tells; but not one beyond the cap.
  const isFinal = !cut.torn || (await reader.bytesAfter(from)) > MAX_LINE_BYTES;
  if (isFinal && isAtRest(stream, now())) target.setIdle(key, source, { signature, bytes });
  return cut;
}

function neverFinished({ agentId, sessionId, source }: Stream, bytes: number): Problem {
  const message = `${source}: its last line, ${bytes} bytes long, was never finished and is not sent`;
  return { code: "LINE_CUT_OFF", agentId, sessionId, message };
}

/** All that a session is called by any of its streams. */
function namesOf(sessionId: string, found: readonly FoundStream[]): SessionNames {
  const streams = found.map(({ stream }) => stream);
  return {
    sessionId,
    names: streams.flatMap(({ names }) => names),
    namesUnknown: streams.find(({ namesUnknown }) => namesUnknown !== undefined)?.namesUnknown,
    agentUnknown: streams.find(({ agentUnknown }) => agentUnknown !== undefined)?.agentUnknown,
  };
}
