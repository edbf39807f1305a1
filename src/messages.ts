import type { Ledger } from "./ledger/ledger.ts";
import type { SessionRecord, StreamRecord } from "./ledger/records.ts";
import type { Reader } from "./stores/store.ts";
import { scan } from "./upload/scan.ts";

export interface CountOptions {
  readonly minMessages: number;
  readonly ledger: Ledger;
  readonly signal?: AbortSignal | undefined;
}

export function deliveredMessages(record: SessionRecord): number {
  return Object.values(record.streams).reduce((sum, { position }) => sum + position.messages, 0);
}

/**
 * Whether the session has enough messages, counting on from what is known only as far
 * as needed. What was counted of one that has too few is remembered, so that one
 * which grows is not read from its beginning each time. `searching`: a line is so long
 * that what comes behind it was not seen yet.
 */
export async function hasEnoughMessages(
  { minMessages, ledger, signal }: CountOptions,
  record: SessionRecord,
  pending: readonly { readonly record: StreamRecord; readonly reader: Reader }[],
): Promise<{ passes: boolean; held: number; searching: boolean }> {
  const delivered = deliveredMessages(record);
  let held = 0;
  let searching = false;
  for (const { record: stream, reader } of pending) {
    if (delivered + held >= minMessages) break;
    const known = await stillCounted(stream, reader);
    held += known?.messages ?? 0;
    const enough = minMessages - delivered - held;
    if (enough <= 0) break;
    const from = known?.offset ?? stream.position.offset;
    const { counts, end, searched } = await scan(reader, {
      from,
      enough,
      searched: stream.searched,
      signal,
    });
    held += counts.messages;
    if (searched !== undefined) {
      stream.searched = searched;
      searching = true;
      ledger.changed();
    }
    if (end === undefined) continue;
    stream.counted = { ...end, messages: (known?.messages ?? 0) + counts.messages };
    ledger.changed();
  }
  const passes = delivered + held >= minMessages;
  // From now on the position counts.
  if (passes) for (const { record: stream } of pending) delete stream.counted;
  return { passes, held, searching };
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
