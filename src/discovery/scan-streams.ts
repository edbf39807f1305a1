import { newestSent } from "../ledger/generations.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { SessionRecord, StreamRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../protocol/limits.ts";
import type { Clock } from "../shared/clock.ts";
import type { Problem } from "../shared/problem.ts";
import { isIdle } from "../stores/idle.ts";
import { liveSources } from "../stores/sources.ts";
import { type Cut, type Reader, START, type Store, type Stream } from "../stores/store.ts";
import { resolveStream } from "./resolve.ts";

export interface ScanOptions extends Clock {
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  readonly signal?: AbortSignal | undefined;
}

/** One of the streams of a session, and where it is read. */
export interface FoundStream {
  readonly store: Store;
  readonly stream: Stream;
}

/** A stream with something to send. */
export interface PendingStream extends FoundStream {
  readonly record: StreamRecord;
  /** Bytes of source after the record's position. */
  readonly bytes: number;
}

export interface OpenStream extends PendingStream {
  readonly reader: Reader;
}

export interface StreamScan {
  /** In the order of delivery, and with generations in this order. */
  readonly pending: readonly OpenStream[];
  readonly bytes: number;
  readonly growing: boolean;
  readonly settling: boolean;
}

/** A stream, and what is behind the position of its record. */
interface ScannedStream extends FoundStream {
  readonly record: StreamRecord;
  readonly next: Cut;
  /** None of a stream that was scanned before. */
  readonly reader?: Reader;
}

/** What a scan needs, of which the readers are left open and the problems reported. */
interface Scan {
  readonly options: ScanOptions;
  /** Of the session, in the ledger. */
  readonly key: string;
  readonly readers: Reader[];
  readonly problems: Problem[];
}

const NOTHING: Cut = { kind: "end", torn: false };

/** The stream was scanned before, as it is now, and there was nothing left to send. */
export function isUnchanged(
  record: SessionRecord | undefined,
  { source, signature }: Stream,
): boolean {
  const idle = record?.streams[source]?.idle;
  return idle?.signature === signature && idle.held === undefined;
}

/**
 * Whether a server holds something else as newer than the session's present: the last of
 * these streams, which are in the order of their ranks, that has lines.
 */
export function isOvertaken(session: SessionRecord, streams: readonly FoundStream[]): boolean {
  const { streams: records } = session;
  const present = streams.findLast(
    ({ stream: { source } }) => (records[source]?.position.lines ?? 0) > 0,
  );
  return present !== undefined && isBehindNewest(session, present.stream);
}

/** What is newest may also be of a later stream that is gone: what is left of the session then is its past. */
function isBehindNewest(session: SessionRecord, stream: Stream): boolean {
  const newest = newestSent(session);
  const isBehind = (source: string): boolean =>
    (session.streams[source]?.generation ?? -1) < newest;
  const last = liveSources(stream.sessionId);
  const later = last.slice(last.indexOf(stream.source) + 1);
  return isBehind(stream.source) && later.every(isBehind);
}

/**
 * Finds what is left of each stream. The highest generation is what a server takes for the
 * session as it is now, so whatever is to be sent of a stream goes under a higher one than
 * all that was sent of the streams before it, and the last of them has the highest: where
 * that is not so, because something of the past came to light, it restarts.
 */
export async function scanStreams(
  options: ScanOptions,
  key: string,
  streams: readonly FoundStream[],
  left: Pick<Scan, "readers" | "problems">,
): Promise<StreamScan> {
  const scan = { options, key, ...left };
  const scanned = await scanEach(scan, streams);
  if (!Array.isArray(scanned)) return scanned;
  const present = scanned.findLast(hasLines);
  const pending: OpenStream[] = [];
  let bytes = 0;
  let growing = false;
  let searching = false;
  for (const found of scanned) {
    const before = pending.at(-1)?.record;
    const isRestarted = mustRestart(scan, found, { before, isPresent: found === present });
    const one = isRestarted ? await restart(scan, found) : found;
    const { store, stream, record, next } = one;
    if (next.kind === "end") {
      growing ||= next.torn;
      if (next.cutOff !== undefined) left.problems.push(neverFinished(stream, next.cutOff));
      continue;
    }
    const reader = await open(scan, one);
    const rest = await reader.bytesAfter(record.position.offset);
    bytes += rest;
    if (next.kind === "unfinished") {
      searching = true;
      continue;
    }
    options.signal?.throwIfAborted();
    options.target.setIdle(key, stream.source, undefined);
    pending.push({ store, stream, record, bytes: rest, reader });
  }
  return { pending, bytes, growing, settling: searching && pending.length === 0 };
}

/** Scans each stream, or reports that the session is being rewritten. */
async function scanEach(
  scan: Scan,
  streams: readonly FoundStream[],
): Promise<ScannedStream[] | StreamScan> {
  const { options, key } = scan;
  const scanned: ScannedStream[] = [];
  for (const { store, stream } of streams) {
    const session = options.target.session(key);
    const known = session?.streams[stream.source];
    if (known !== undefined && isUnchanged(session, stream)) {
      scanned.push({ store, stream, record: known, next: NOTHING });
      continue;
    }
    // A database continues a file where the file ended: that is known once the file has been delivered.
    const waiting = scanned.some((before) => before.store.kind !== store.kind && isDue(before));
    if (known === undefined && waiting) break;
    const reader = await open(scan, { store, stream });
    const record = await resolveStream({ ...options, key, store, stream, reader });
    if (record === "unsettled") {
      return { pending: [], bytes: stream.bytes, growing: false, settling: true };
    }
    const next = await nextRange(scan, { stream, reader, record });
    scanned.push({ store, stream, record, next, reader });
  }
  return scanned;
}

async function open(
  { options, readers }: Scan,
  { store, stream, reader }: FoundStream & Pick<ScannedStream, "reader">,
): Promise<Reader> {
  if (reader !== undefined) return reader;
  const opened = await store.open(stream, options.signal);
  readers.push(opened);
  return opened;
}

const isDue = ({ next }: ScannedStream): boolean => next.kind === "range" || next.kind === "over";

const isBlank = ({ next }: ScannedStream): boolean => next.kind === "range" && next.blank === true;

const hasLines = (look: ScannedStream): boolean =>
  look.record.position.lines > 0 || (isDue(look) && !isBlank(look));

/** @param place `before`: the record of the stream that goes before it */
function mustRestart(
  { options: { target }, key }: Scan,
  look: ScannedStream,
  { before, isPresent }: { before: StreamRecord | undefined; isPresent: boolean },
): boolean {
  const { record, stream } = look;
  const session = target.session(key);
  if (session === undefined || !(isPresent || isDue(look))) return false;
  if (before !== undefined && record.generation <= before.generation) return true;
  if (isPresent && isBehindNewest(session, stream)) return true;
  // Parts that were planned before go as they are, whatever was planned behind them.
  return isDue(look) && record.parts === undefined && record.generation < newestSent(session);
}

async function restart(
  scan: Scan,
  { store, stream, ...look }: ScannedStream,
): Promise<ScannedStream> {
  const record = scan.options.target.begin(scan.key, stream.source, store.kind, START);
  const reader = await open(scan, { store, stream, ...look });
  return {
    store,
    stream,
    record,
    reader,
    next: await nextRange(scan, { stream, reader, record }),
  };
}

/** What is behind the position; what was found out is remembered, so that it need not be again. */
async function nextRange(
  { options: { target, now, signal }, key }: Scan,
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
  // A torn line may be whole once the file is idle, which no signature shows; but not one beyond the cap.
  const isFinal = !cut.torn || (await reader.bytesAfter(from)) > MAX_LINE_BYTES;
  if (isFinal && isIdle(stream, now())) target.setIdle(key, source, { signature, bytes });
  return cut;
}

function neverFinished({ agentId, sessionId, source }: Stream, bytes: number): Problem {
  const message = `${source}: its last line, ${bytes} bytes long, was never finished and is not sent`;
  return { code: "LINE_CUT_OFF", agentId, sessionId, message };
}
