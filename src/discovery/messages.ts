import type { SessionRecord, StreamRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { scan } from "../lines/scan.ts";
import type { Reader, Stream } from "../stores/store.ts";

/** Most bytes of a stream that are counted at a time; the next run goes on from there. */
const MAX_COUNTED_BYTES = 64 * 1024 * 1024;

export interface CountOptions {
  readonly minMessages: number;
  readonly target: TargetRecords;
  readonly signal?: AbortSignal | undefined;
}

/** Whether a session has enough messages; `unknown` while not all of it has been counted. */
export interface MessageCount {
  readonly verdict: "enough" | "too-few" | "unknown";
  /** Messages that were not delivered. */
  readonly held: number;
}

export function deliveredMessages(record: SessionRecord | undefined): number {
  return Object.values(record?.streams ?? {}).reduce(
    (sum, { position }) => sum + position.messages,
    0,
  );
}

/**
 * Counts on from what is known only as far as needed. What was counted of a session that
 * has too few is remembered, so that one which grows is not read from its beginning each time.
 */
export async function hasEnoughMessages(
  { minMessages, target, signal }: CountOptions,
  key: string,
  pending: readonly {
    readonly stream: Stream;
    readonly record: StreamRecord;
    readonly reader: Reader;
  }[],
): Promise<MessageCount> {
  const delivered = deliveredMessages(target.session(key));
  let held = 0;
  let isWhole = true;
  for (const { stream, record, reader } of pending) {
    if (delivered + held >= minMessages) break;
    const known = await stillCounted(record, reader);
    held += known?.messages ?? 0;
    const enough = minMessages - delivered - held;
    if (enough <= 0) break;
    const from = known?.offset ?? record.position.offset;
    const { searched } = record;
    const limits = { enough, maxBytes: MAX_COUNTED_BYTES };
    const found = await scan(reader, { from, ...limits, searched, signal });
    held += found.counts.messages;
    if (found.searched !== undefined) target.setSearched(key, stream.source, found.searched);
    isWhole &&= found.isWhole;
    if (found.end === undefined) continue;
    const messages = (known?.messages ?? 0) + found.counts.messages;
    target.setCounted(key, stream.source, { ...found.end, messages });
  }
  if (delivered + held < minMessages) return { verdict: isWhole ? "too-few" : "unknown", held };
  // From now on the position counts.
  for (const { stream } of pending) target.setCounted(key, stream.source, undefined);
  return { verdict: "enough", held };
}

/** What was counted before, if that is still what lies before its end. */
async function stillCounted(
  { position, counted }: StreamRecord,
  reader: Reader,
): Promise<StreamRecord["counted"]> {
  if (counted === undefined || counted.offset <= position.offset) return undefined;
  const { offset, fingerprint } = counted;
  const verdict = await reader.verify({ ...position, offset, fingerprint });
  return verdict === "same" ? counted : undefined;
}
