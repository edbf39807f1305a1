import type { SurveyedSession } from "../discovery/examine.ts";
import { LedgerError } from "../ledger/files.ts";
import { digest, type Ledger } from "../ledger/ledger.ts";
import type { PlannedPart, StreamRecord } from "../ledger/records.ts";
import { newestSent, type TargetRecords } from "../ledger/target.ts";
import { type LineCounts, sentLines } from "../lines/entry.ts";
import type { PlannedSession, PlannedStream } from "../planning/parts.ts";
import type { Receipt } from "../protocol/wire.ts";
import { describeReadFailure, SourceChangedError } from "../shared/problem.ts";
import { isAtRest } from "../stores/at-rest.ts";
import { type Reader, START, type Stream } from "../stores/store.ts";
import {
  type Delivered,
  MAX_WAIT_IN_RUN_MS,
  type PartResult,
  type SendOptions,
  sendPart,
} from "./part.ts";

/** What the API refuses as too large below this is not about the size of parts, in bytes of source. */
const MIN_PART_LIMIT = 256 * 1024;

const CONFLICT = 409;

/** What adds up how the sessions of a run fare. */
export interface SessionTally {
  /** Why the run cannot go on; set at most once. */
  stop: { readonly kind: "refused" | "unreachable"; readonly reason: string } | null;
  delivered(
    session: SurveyedSession,
    part: PlannedPart,
    counts: LineCounts,
    receipt: Receipt,
  ): void;
  /** Nothing of the session that was found is left. */
  completed(session: SurveyedSession): void;
  /** The API has other lines of the session than the ledger; all of it is sent again. */
  restarted(session: SurveyedSession): void;
  /** The API has a newer generation of the session than the ledger; all of it is sent again, if it begins anew. */
  overtaken(session: SurveyedSession, beginsAnew: boolean): void;
  failed(session: SurveyedSession, reason: string): void;
  /** The retries of one session are spent. */
  spent(session: SurveyedSession, reason: string): void;
  /** Nothing takes the session at this address. */
  notFound(
    session: SurveyedSession,
    answer: { readonly status: number; readonly reason: string },
  ): void;
  /** It stays pending although it was its turn. */
  postponed(session: SurveyedSession, reason: string): void;
}

export interface UploadContext {
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  readonly tally: SessionTally;
  readonly now: () => number;
  readonly send: SendOptions;
}

/** `later`: it stays pending. `restart`: it begins anew, and has to be planned again. */
export type SessionResult = "done" | "failed" | "later" | "restart";

/**
 * Sends a session's planned parts in order and records each confirmation. A
 * failure of the session stays with the session, whatever it is; one of the whole
 * run is left in `tally.stop`.
 *
 * @throws {LedgerError} when a confirmation cannot be recorded
 * @throws the signal's reason
 */
export async function uploadSession(
  { session, streams, complete, error: behind }: PlannedSession,
  context: UploadContext,
): Promise<SessionResult> {
  const { target, tally } = context;
  try {
    for (const planned of streams) {
      const result = await uploadStream(session, planned, context);
      if (result !== "done") return result;
    }
    if (behind !== undefined) throw behind;
  } catch (error) {
    if (context.send.signal.aborted || error instanceof LedgerError) throw error;
    const { message } = describeReadFailure(error);
    if (error instanceof SourceChangedError) {
      tally.postponed(session, message);
      return "later";
    }
    tally.failed(session, message);
    return "failed";
  }
  target.clearAside(session.key);
  if (complete) tally.completed(session);
  return "done";
}

async function uploadStream(
  session: SurveyedSession,
  { store, stream, record, until, whole }: PlannedStream,
  context: UploadContext,
): Promise<SessionResult> {
  const { agentId, sessionId, key } = session;
  const reader = await store.open(stream, context.send.signal);
  try {
    let refused: number | undefined;
    for (;;) {
      const part = record.parts?.[0];
      const { position: start, generation } = record;
      if (part === undefined || start.offset >= until) {
        const { source, signature, bytes } = stream;
        if (whole && isAtRest(stream, context.now())) {
          context.target.setIdle(key, source, { signature, bytes });
        }
        return "done";
      }
      const source = { reader, start, part, generation, agentId, sessionId };
      const result = await sendPart(source, context.send);
      if (result.kind === "too-large") refused = part.bytes;
      const next = await settle(
        result,
        { session, stream, record, part, reader, refused },
        context,
      );
      if (next !== "continue") return next;
    }
  } finally {
    await reader.close();
  }
}

interface InFlight {
  readonly session: SurveyedSession;
  readonly stream: Stream;
  readonly record: StreamRecord;
  readonly part: PlannedPart;
  readonly reader: Reader;
  /** Size of the last part of the stream that was too large for the API, in bytes of source. */
  readonly refused: number | undefined;
}

/** Records what came of a part. */
async function settle(
  result: PartResult,
  inFlight: InFlight,
  context: UploadContext,
): Promise<"continue" | Exclude<SessionResult, "done">> {
  const { tally, target, now } = context;
  const { session, stream } = inFlight;
  switch (result.kind) {
    case "delivered":
      await confirm(result, inFlight, context);
      return goOnAbove(result.receipt, session, context);
    case "too-large":
      if (await halve(inFlight, context)) return "continue";
      return putAside(result.reason, inFlight, context);
    case "aside":
      if (result.status === CONFLICT && target.mayRestart(session.key, "restartedAt")) {
        target.restart(session.key, stream.source, START);
        tally.restarted(session);
        return "restart";
      }
      return putAside(result.reason, inFlight, context);
    case "not-found":
      // It was told apart from the address before, when it was put aside.
      if (target.session(session.key)?.aside !== undefined) {
        return putAside(result.reason, inFlight, context);
      }
      tally.notFound(session, result);
      return "later";
    case "spent":
      if (result.waitMs !== undefined) {
        target.setNotBefore(Math.max(target.notBefore ?? 0, now() + result.waitMs));
      }
      tally.spent(session, result.reason);
      if ((result.waitMs ?? 0) > MAX_WAIT_IN_RUN_MS) {
        tally.stop ??= { kind: "unreachable", reason: result.reason };
      }
      return "later";
    default:
      tally.stop ??= result;
      return "later";
  }
}

function putAside(
  reason: string,
  { session }: InFlight,
  { target, tally }: UploadContext,
): "failed" {
  target.putAside(session.key, reason);
  tally.failed(session, reason);
  return "failed";
}

async function confirm(
  { receipt, counts, lastEntry }: Delivered,
  { session, stream, part, refused }: InFlight,
  { ledger, target, tally }: UploadContext,
): Promise<void> {
  target.confirm(session.key, stream.source, {
    lines: sentLines(counts),
    messages: counts.messages,
    rejected: receipt.rejected,
    omitted: counts.omitted,
    entry: lastEntry,
  });
  if (refused !== undefined && part.omitted === undefined) {
    const taken = Math.max(MIN_PART_LIMIT, part.bytes);
    target.setPartLimit(Math.min(target.partLimit ?? refused, taken));
  }
  tally.delivered(session, part, counts, receipt);
  await ledger.saveSoon();
}

/** What was delivered is the session's past for an API that holds something newer, which was forgotten here. */
function goOnAbove(
  { newestGeneration = -1 }: Receipt,
  session: SurveyedSession,
  { target, tally }: UploadContext,
): "continue" | "restart" {
  const { key } = session;
  const record = target.session(key);
  if (record === undefined || newestGeneration <= newestSent(record)) return "continue";
  const beginsAnew = target.mayRestart(key, "overtakenAt");
  tally.overtaken(session, beginsAnew);
  if (!beginsAnew) return "continue";
  target.restartAbove(key, newestGeneration);
  target.clearAside(key);
  return "restart";
}

/**
 * Replaces a part that is too large for the API by two, or a single line by its
 * length, and writes that down before it is sent. False when there is nothing
 * left to make smaller.
 */
async function halve(
  { session: { key }, stream: { source }, record, part, reader }: InFlight,
  { ledger, target }: UploadContext,
): Promise<boolean> {
  if (part.omitted !== undefined) return false;
  const from = record.position.offset;
  const half = Math.max(1, Math.floor(part.bytes / 2));
  let cut = await reader.cut(from, { maxBytes: half });
  if (cut.kind === "over") cut = await reader.cut(from, { maxBytes: cut.bytes });
  if (cut.kind !== "range") throw new SourceChangedError("it became shorter while it was sent");
  const keyOf = (suffix: string): string => digest([part.idempotencyKey, suffix]);
  const { end, fingerprint, bytes } = cut;
  const room = part.bytes - bytes;
  const rest = end < part.end ? await reader.cut(end, { maxBytes: room }) : null;
  const first = { ...part, end, fingerprint, bytes, idempotencyKey: keyOf("first") };
  const second = { ...part, bytes: room, idempotencyKey: keyOf("rest") };
  if (cut.blank === true) {
    // White space in front has no line to send: the position moves over it.
    target.skip(key, source, { offset: end, fingerprint });
    target.replacePart(key, source, [second]);
  } else if (rest === null) {
    const omitted = await lengthOfLine(reader, from, part.end);
    const line = { ...part, idempotencyKey: keyOf("omitted"), omitted };
    target.replacePart(key, source, [line]);
  } else if (rest.kind === "range" && rest.blank === true) {
    // White space behind has none either; whatever comes next begins with it.
    target.replacePart(key, source, [first]);
  } else {
    target.replacePart(key, source, [first, second]);
  }
  await ledger.save();
  return true;
}

/** Bytes of the one line in a range, without the newline, which a last line may lack. */
async function lengthOfLine(reader: Reader, from: number, end: number): Promise<number> {
  let bytes = 0;
  let last: number | undefined;
  for await (const block of reader.read(from, end)) {
    bytes += block.length;
    last = block.at(-1);
  }
  return last === 0x0a ? bytes - 1 : bytes;
}
