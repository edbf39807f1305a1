import { resolveStream } from "../discovery/resolve.ts";
import type { FoundStream } from "../discovery/scan-streams.ts";
import { newestSent } from "../ledger/generations.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { SessionRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { Reader, Stream } from "../stores/store.ts";

/** Whether a line was sent; null when that is not known. */
export type WasSent = (lineIndex: number, offset: number) => boolean | null;

/** What of a stream has gone to a destination, as far as the ledger knows. */
export class SentLines {
  readonly #ledger: Ledger;
  readonly #target: TargetRecords;

  constructor(ledger: Ledger, target: TargetRecords) {
    this.#ledger = ledger;
    this.#target = target;
  }

  /**
   * Lines before the position were sent, if what lies there is what was. Of a stream that was
   * rewritten, or sent in another generation, it is not known.
   *
   * @param key of the session
   * @param streams all that there are of it
   */
  async of(
    key: string,
    { store, stream }: FoundStream,
    streams: readonly FoundStream[],
    reader: Reader,
    signal: AbortSignal,
  ): Promise<WasSent> {
    const known = this.#target.session(key);
    const otherwise = known !== undefined && mayHaveGone(known, stream, streams) ? null : false;
    const [ledger, target] = [this.#ledger, this.#target];
    const record = await resolveStream({ ledger, target, key, store, stream, reader, signal });
    if (record === "unsettled") return () => otherwise;
    const { position, parts = [] } = record;
    const plannedTo = parts.at(-1)?.end ?? 0;
    return (lineIndex, offset) => {
      if (lineIndex < position.lines) return true;
      // What was planned and not confirmed may have arrived.
      if (offset < plannedTo) return null;
      return position.lines > 0 ? false : otherwise;
    };
  }
}

/** Whether something was sent of the session that may be what the stream holds now. */
function mayHaveGone(
  session: SessionRecord,
  { source, renamedFrom, movedFrom }: Stream,
  streams: readonly FoundStream[],
): boolean {
  const there = new Set(streams.map(({ stream }) => stream.source));
  const sent = Object.entries(session.streams).filter(([, { position }]) => position.lines > 0);
  const newest = Math.max(-1, ...sent.map(([, { generation }]) => generation));
  return (
    newestSent(session) > newest ||
    sent.some(([of]) => [source, renamedFrom, movedFrom].includes(of) || !there.has(of))
  );
}
