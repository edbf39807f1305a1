import type { SurveyedSession } from "../discovery/examine.ts";
import { LedgerError } from "../ledger/files.ts";
import { newestSent } from "../ledger/generations.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PlannedPart } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { sentLines } from "../lines/entry.ts";
import { halvePart, type RefusedPart } from "../planning/halve.ts";
import type { PlannedSession, PlannedStream } from "../planning/parts.ts";
import type { Receipt } from "../protocol/wire.ts";
import { describeReadFailure, SourceChangedError } from "../shared/problem.ts";
import { isIdle } from "../stores/idle.ts";
import { START } from "../stores/store.ts";
import { MAX_WAIT_IN_RUN_MS } from "./retry.ts";
import type { Delivered, PartOutcome } from "./send.ts";
import type { SendPart } from "./sender.ts";
import type { Transform } from "./transform.ts";

/** What the API refuses as too large below this is not about the size of parts, in bytes of source. */
const MIN_PART_LIMIT = 256 * 1024;

const CONFLICT = 409;

/** What adds up how the sessions of a run fare. */
export interface SessionTally {
  /** Why the run cannot go on; set at most once. */
  stop: { readonly kind: "refused" | "unreachable" | "paused"; readonly reason: string } | null;
  delivered(
    session: SurveyedSession,
    part: PlannedPart,
    result: Pick<Delivered, "counts" | "redactions" | "receipt">,
  ): void;
  /** Nothing of the session that was found is left. */
  completed(session: SurveyedSession): void;
  /** The API has other lines of the session than the ledger; all of it is sent again. */
  restarted(session: SurveyedSession): void;
  /** The API has a newer generation of the session than the ledger; all of it is sent again, if it restarts. */
  overtaken(session: SurveyedSession, restarts: boolean): void;
  failed(session: SurveyedSession, reason: string): void;
  /** The retries of one session are exhausted. */
  retriesExhausted(session: SurveyedSession, reason: string): void;
  /** Nothing takes the session at this address. */
  notFound(
    session: SurveyedSession,
    answer: { readonly status: number; readonly reason: string },
  ): void;
  /** It stays pending although this run tried it. */
  postponed(session: SurveyedSession, reason: string): void;
}

export interface UploadContext {
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  readonly tally: SessionTally;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly transformOf: (session: SurveyedSession) => Transform;
  readonly send: SendPart;
}

/** `later`: it stays pending. `restart`: it begins a new generation, and has to be planned again. */
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
    if (context.signal.aborted || error instanceof LedgerError) throw error;
    const { message } = describeReadFailure(error);
    if (error instanceof SourceChangedError) {
      tally.postponed(session, message);
      return "later";
    }
    tally.failed(session, message);
    return "failed";
  }
  target.clearBackoff(session.key);
  if (complete) tally.completed(session);
  return "done";
}

async function uploadStream(
  session: SurveyedSession,
  { store, stream, record, until, whole }: PlannedStream,
  context: UploadContext,
): Promise<SessionResult> {
  const { agentId, sessionId, key } = session;
  const { source, signature, bytes } = stream;
  const transform = context.transformOf(session);
  const reader = await store.open(stream, context.signal);
  try {
    let refused: number | undefined;
    for (;;) {
      const part = record.parts?.[0];
      const { position: start, generation } = record;
      if (part === undefined || start.offset >= until) {
        if (whole && isIdle(stream, context.now())) {
          context.target.setIdle(key, source, { signature, bytes });
        }
        return "done";
      }
      const range = { reader, start, part, generation, agentId, sessionId, transform };
      const outcome = await context.send(range);
      if (outcome.kind === "too-large") refused = part.bytes;
      const sent = { session, key, source, record, part, reader, refused };
      const next = await recordOutcome(outcome, sent, context);
      if (next !== "continue") return next;
    }
  } finally {
    await reader.close();
  }
}

/** A stream's first part, which was sent. */
interface SentPart extends RefusedPart {
  readonly session: SurveyedSession;
  /** Size of the last part of the stream that was too large for the API, in bytes of source. */
  readonly refused: number | undefined;
}

/** Records what came of a part. */
async function recordOutcome(
  outcome: PartOutcome,
  sent: SentPart,
  context: UploadContext,
): Promise<"continue" | Exclude<SessionResult, "done">> {
  const { ledger, tally, target } = context;
  const { session, source } = sent;
  switch (outcome.kind) {
    case "delivered":
      await confirm(outcome, sent, context);
      return goOnAbove(outcome.receipt, session, context);
    case "too-large":
      if (await halvePart(ledger, target, sent)) return "continue";
      return backOff(outcome.reason, sent, context);
    case "backoff":
      if (outcome.status === CONFLICT && target.mayRestart(session.key, "restartedAt")) {
        target.restart(session.key, source, START);
        tally.restarted(session);
        return "restart";
      }
      return backOff(outcome.reason, sent, context);
    case "not-found":
      // That it is not the address was found before, when the session was backed off from.
      if (target.session(session.key)?.aside !== undefined) {
        return backOff(outcome.reason, sent, context);
      }
      tally.notFound(session, outcome);
      return "later";
    case "retry":
      if (outcome.waitMs !== undefined) target.holdFor(outcome.waitMs);
      tally.retriesExhausted(session, outcome.reason);
      if ((outcome.waitMs ?? 0) > MAX_WAIT_IN_RUN_MS) {
        tally.stop ??= { kind: "unreachable", reason: outcome.reason };
      }
      return "later";
    default:
      tally.stop ??= outcome;
      return "later";
  }
}

function backOff(
  reason: string,
  { session }: SentPart,
  { target, tally }: UploadContext,
): "failed" {
  target.backOff(session.key, reason);
  tally.failed(session, reason);
  return "failed";
}

async function confirm(
  { receipt, counts, redactions, lastEntry }: Delivered,
  { session, key, source, part, refused }: SentPart,
  { ledger, target, tally }: UploadContext,
): Promise<void> {
  target.confirm(key, source, {
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
  tally.delivered(session, part, { counts, redactions, receipt });
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
  const restarts = target.mayRestart(key, "overtakenAt");
  tally.overtaken(session, restarts);
  if (!restarts) return "continue";
  target.restartAbove(key, newestGeneration);
  target.clearBackoff(key);
  return "restart";
}
