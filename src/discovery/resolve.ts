import type { Ledger } from "../ledger/ledger.ts";
import type { StreamRecord } from "../ledger/records.ts";
import type { LegacyRecord } from "../ledger/schema.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { sentLines } from "../lines/entry.ts";
import { scan } from "../lines/scan.ts";
import { entryDigest } from "../stores/entry-digest.ts";
import { type Position, type Reader, START, type Store, type Stream } from "../stores/store.ts";

export interface ResolveOptions {
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  /** Of the session, in the ledger. */
  readonly key: string;
  readonly store: Store;
  readonly stream: Stream;
  readonly reader: Reader;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The record to continue a stream from: its own, that of the stream it was
 * renamed from or moved out of, the earlier plugin's, or a new generation from
 * line 0 when it was rewritten. `unsettled` when that cannot be determined yet.
 */
export async function resolveStream(options: ResolveOptions): Promise<StreamRecord | "unsettled"> {
  const { stream, reader } = options;
  const own = recordOf(options, stream.source);
  if (own !== undefined) {
    const verdict = await verify(reader, own);
    if (verdict === "same") return own;
    if (verdict === "unsettled") return "unsettled";
    return begin(options);
  }
  return (
    (await continueRenamed(options)) ??
    (await continueMoved(options)) ??
    (await continueLegacy(options)) ??
    begin(options)
  );
}

/**
 * Whether what was delivered is still there, and with it the ranges that were
 * planned but not confirmed: they may have arrived, so if one of them cannot be
 * sent again as it was, the session restarts rather than overlap.
 */
async function verify(
  reader: Reader,
  record: StreamRecord,
): Promise<"same" | "changed" | "unsettled"> {
  const { position, parts = [] } = record;
  const last = parts.at(-1);
  const verdict = await reader.verify(position);
  if (verdict !== "same" || last === undefined) return verdict;
  for (const part of parts) {
    const end = { ...position, offset: part.end, fingerprint: part.fingerprint };
    const partVerdict = await reader.verify(end);
    if (partVerdict !== "same") return partVerdict;
  }
  return "same";
}

/** What a reset renamed is continued under its new name where it was. */
async function continueRenamed(options: ResolveOptions): Promise<StreamRecord | null> {
  const { target, key, stream, reader } = options;
  const { source, renamedFrom } = stream;
  const live = recordOf(options, renamedFrom);
  if (renamedFrom === undefined || live === undefined) return null;
  if (live.position.offset === 0 && live.parts === undefined) return null;
  // Nobody writes to a file that was set aside by a reset: what differs is another file.
  if ((await verify(reader, live)) !== "same") return null;
  return target.rename(key, renamedFrom, source);
}

/** A host upgrade moves a session from its file into the agent's database. */
async function continueMoved(options: ResolveOptions): Promise<StreamRecord | null> {
  const { target, key, stream, reader, store } = options;
  const before = recordOf(options, stream.movedFrom);
  if (before === undefined || before.parts !== undefined) return null;
  const position = await reader.continueFrom?.(before.position);
  if (position === undefined || position === null) return null;
  const { generation } = before;
  return target.continueAt(key, stream.source, { store: store.kind, generation, position });
}

/** What version 1 sent of the stream, also when the host renamed or moved it since. */
async function continueLegacy(options: ResolveOptions): Promise<StreamRecord | null> {
  const { ledger, stream, reader } = options;
  if (stream.movedFrom !== undefined) return continueImported(options, stream.movedFrom);
  for (const name of [stream.source, stream.renamedFrom]) {
    const legacy = name === undefined ? undefined : ledger.legacy(stream.agentId, name);
    if (name === undefined || legacy === undefined) continue;
    const position = await legacyPosition(options, reader, legacy);
    // The record of another name may be that of the file which has this name now.
    if (position !== null || name === stream.source) ledger.forgetLegacy(stream.agentId, name);
    if (position !== null) return begin(options, position);
  }
  return null;
}

/** What version 1 sent of a stream that the host moved into another store before we saw it. */
async function continueImported(
  options: ResolveOptions,
  movedFrom: string,
): Promise<StreamRecord | null> {
  const { ledger, store, stream, reader } = options;
  const legacy = ledger.legacy(stream.agentId, movedFrom);
  if (legacy === undefined) return null;
  let position: Position | null = null;
  for await (const original of store.originals?.(stream, options.signal) ?? []) {
    const before = await legacyPosition(options, original, legacy);
    if (before !== null) position = (await reader.continueFrom?.(before)) ?? null;
    if (position !== null) break;
  }
  ledger.forgetLegacy(stream.agentId, movedFrom);
  return position === null ? null : begin(options, position);
}

/** The position behind what version 1 sent, if that is how the stream begins. */
async function legacyPosition(
  { signal }: ResolveOptions,
  reader: Reader,
  { uploadedSizeBytes, etag }: LegacyRecord,
): Promise<Position | null> {
  const end = await reader.legacyEnd?.(uploadedSizeBytes, etag.slice("sha256:".length));
  if (end === undefined || end === null || end.offset === 0) return null;
  const { counts, last } = await scan(reader, { from: 0, until: end.offset, signal });
  return {
    offset: end.offset,
    lines: sentLines(counts),
    messages: counts.messages,
    fingerprint: end.fingerprint,
    ...(last === undefined ? {} : { entry: entryDigest(fromBinary(last)) }),
  };
}

/** A generation of its own, from `position` on. */
function begin({ target, key, store, stream }: ResolveOptions, position = START): StreamRecord {
  return target.begin(key, stream.source, store.kind, position);
}

function recordOf(
  { target, key }: ResolveOptions,
  source: string | undefined,
): StreamRecord | undefined {
  return source === undefined ? undefined : target.session(key)?.streams[source];
}

const fromBinary = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
