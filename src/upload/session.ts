import type { Ledger } from "../ledger/ledger.ts";
import { digest, recordOf } from "../ledger/ledger.ts";
import type { PlannedPart, SessionRecord, StreamRecord } from "../ledger/records.ts";
import type { Target } from "../ledger/schema.ts";
import type { PlannedSession, PlannedStream } from "../parts.ts";
import { SourceChangedError } from "../problem.ts";
import type { Tally } from "../report.ts";
import { isAtRest, type Reader } from "../stores/store.ts";
import { readFailure, type SurveyedSession } from "../survey.ts";
import { putAside } from "./aside.ts";
import { sentLines } from "./entry.ts";
import {
  type Delivered,
  MAX_WAIT_IN_RUN_MS,
  type PartResult,
  type SendOptions,
  sendPart,
} from "./part.ts";

/** What the API refuses as too large below this is not about the size of parts, in bytes of source. */
const MIN_PART_LIMIT = 256 * 1024;

export interface UploadContext {
  readonly ledger: Ledger;
  readonly target: Target;
  readonly tally: Tally;
  readonly now: () => number;
  readonly send: SendOptions;
}

/**
 * Sends a session's planned parts in order and records each confirmation. A
 * failure of the session stays with the session; one of the whole run is left in
 * `tally.stop`.
 *
 * @returns `later` when it stays pending
 * @throws {LedgerError} when a confirmation cannot be recorded
 */
export async function uploadSession(
  { session, streams, complete }: PlannedSession,
  context: UploadContext,
): Promise<"done" | "failed" | "later"> {
  const record = recordOf(context.target, session.key);
  for (const planned of streams) {
    try {
      const result = await uploadStream(session, record, planned, context);
      if (result !== "done") return result;
    } catch (error) {
      if (context.send.signal.aborted) throw error;
      if (error instanceof SourceChangedError) return later(context, session, error.message);
      const reason = readFailure(error);
      if (reason === null) throw error;
      context.tally.failed(session, reason);
      return "failed";
    }
  }
  if (record.aside !== undefined) {
    delete record.aside;
    context.ledger.changed();
  }
  if (complete) context.tally.completed(session);
  return "done";
}

async function uploadStream(
  session: SurveyedSession,
  record: SessionRecord,
  { store, stream, record: streamRecord, until, whole }: PlannedStream,
  context: UploadContext,
): Promise<"done" | "failed" | "later"> {
  const reader = await store.open(stream, context.send.signal);
  try {
    let refused: number | undefined;
    for (;;) {
      const part = streamRecord.parts?.[0];
      if (part === undefined || streamRecord.position.offset >= until) {
        const { signature, bytes } = stream;
        if (whole && isAtRest(stream, context.now())) streamRecord.idle = { signature, bytes };
        return "done";
      }
      const { agentId, sessionId } = session;
      const start = streamRecord.position;
      const result = await sendPart({ reader, start, part, agentId, sessionId }, context.send);
      if (result.kind === "too-large") refused = part.bytes;
      const inFlight = { session, record, streamRecord, part, reader, refused };
      const next = await settle(result, inFlight, context);
      if (next !== "continue") return next;
    }
  } finally {
    await reader.close();
  }
}

interface InFlight {
  readonly session: SurveyedSession;
  readonly record: SessionRecord;
  readonly streamRecord: StreamRecord;
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
): Promise<"continue" | "failed" | "later"> {
  const { tally, target, ledger, now } = context;
  const { session, record } = inFlight;
  switch (result.kind) {
    case "delivered":
      await confirm(result, inFlight, context);
      return "continue";
    case "too-large":
      if (await halve(inFlight, context)) return "continue";
      putAside(record, result.reason, now());
      ledger.changed();
      tally.failed(session, result.reason);
      return "failed";
    case "aside":
      putAside(record, result.reason, now());
      ledger.changed();
      tally.failed(session, result.reason);
      return "failed";
    case "spent":
      if (result.waitMs !== undefined) {
        target.notBefore = Math.max(target.notBefore ?? 0, now() + result.waitMs);
        ledger.changed();
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

async function confirm(
  { receipt, counts, lastEntry }: Delivered,
  { session, record, streamRecord, part, refused }: InFlight,
  { ledger, target, tally }: UploadContext,
): Promise<void> {
  const { position } = streamRecord;
  const entry = lastEntry ?? position.entry;
  streamRecord.position = {
    offset: part.end,
    lines: position.lines + sentLines(counts),
    messages: position.messages + counts.messages,
    fingerprint: part.fingerprint,
    ...(entry === undefined ? {} : { entry }),
  };
  takeOut(streamRecord);
  delete record.tries;
  if (refused !== undefined && part.omitted === undefined) {
    const taken = Math.max(MIN_PART_LIMIT, part.bytes);
    target.partLimit = Math.min(target.partLimit ?? refused, taken);
  }
  if (receipt.rejected > 0) record.rejected = (record.rejected ?? 0) + receipt.rejected;
  if (counts.omitted > 0) record.omitted = (record.omitted ?? 0) + counts.omitted;
  tally.delivered(session, part, counts, receipt);
  await ledger.saveSoon();
}

function takeOut(streamRecord: StreamRecord, replacement: PlannedPart[] = []): void {
  const parts = [...replacement, ...(streamRecord.parts ?? []).slice(1)];
  if (parts.length > 0) streamRecord.parts = parts;
  else delete streamRecord.parts;
}

/**
 * Replaces a part that is too large for the API by two, or a single line by its
 * length, and writes that down before it is sent. False when there is nothing
 * left to make smaller.
 */
async function halve(
  { streamRecord, part, reader }: InFlight,
  { ledger }: UploadContext,
): Promise<boolean> {
  if (part.omitted !== undefined) return false;
  const from = streamRecord.position.offset;
  const half = Math.max(1, Math.floor(part.bytes / 2));
  let cut = await reader.cut(from, { maxBytes: half });
  if (cut.kind === "over") cut = await reader.cut(from, { maxBytes: cut.bytes });
  if (cut.kind !== "range") throw new SourceChangedError("it became shorter while it was sent");
  const key = (suffix: string): string => digest([part.idempotencyKey, suffix]);
  const { end, fingerprint, bytes } = cut;
  const room = part.bytes - bytes;
  const rest = end < part.end ? await reader.cut(end, { maxBytes: room }) : null;
  if (cut.blank === true) {
    // White space in front has no line to send: the position moves over it.
    streamRecord.position = { ...streamRecord.position, offset: end, fingerprint };
    takeOut(streamRecord, [{ ...part, bytes: room, idempotencyKey: key("rest") }]);
  } else if (rest === null) {
    takeOut(streamRecord, [
      {
        ...part,
        idempotencyKey: key("omitted"),
        omitted: await lengthOfLine(reader, from, part.end),
      },
    ]);
  } else if (rest.kind === "range" && rest.blank === true) {
    // White space behind has none either; whatever comes next begins with it.
    takeOut(streamRecord, [{ ...part, end, fingerprint, bytes, idempotencyKey: key("first") }]);
  } else {
    takeOut(streamRecord, [
      { ...part, end, fingerprint, bytes, idempotencyKey: key("first") },
      { ...part, bytes: room, idempotencyKey: key("rest") },
    ]);
  }
  ledger.changed();
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

function later({ tally }: UploadContext, session: SurveyedSession, reason: string): "later" {
  tally.postponed(session, reason);
  return "later";
}
