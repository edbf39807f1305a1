import {
  MAX_LINE_BYTES,
  MAX_PART_BYTES,
  type Position,
  type Reader,
  type Searched,
} from "../stores/store.ts";
import { addCounts, type LineCounts, noLines, sentLines, toPayload } from "./entry.ts";
import { wholeLines } from "./guard.ts";

export interface ScanOptions {
  readonly from: number;
  /** Where to stop; the end of the last whole line by default. */
  readonly until?: number;
  /** Stop as soon as this many messages were seen. */
  readonly enough?: number;
  /** How far the end of a very long line was searched for before. */
  readonly searched?: Searched | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Scan {
  readonly counts: LineCounts;
  /** The last payload, as a binary string. */
  readonly last: string | undefined;
  /** How far whole ranges were counted; undefined when it stopped within one, or found none. */
  readonly end: Pick<Position, "offset" | "fingerprint"> | undefined;
  /** It ended at a line so long that its end was not found yet. */
  readonly searched?: Searched;
}

/** Counts what is in a range of a stream, as an upload would, in bounded memory. */
export async function scan(reader: Reader, options: ScanOptions): Promise<Scan> {
  const { until, enough = Number.POSITIVE_INFINITY, signal } = options;
  const counts = noLines();
  let last: string | undefined;
  let end: Scan["end"];
  let from = options.from;
  while (until === undefined || from < until) {
    const room = until === undefined ? MAX_PART_BYTES : until - from;
    const cut = await reader.cut(from, {
      maxBytes: Math.min(MAX_PART_BYTES, room),
      searched: options.searched,
      ...abortable(signal),
    });
    if (cut.kind === "unfinished") return { counts, last, end, searched: cut.searched };
    if (cut.kind !== "range") break;
    if (cut.omitted) {
      addCounts(counts, { ...noLines(), omitted: 1 });
    } else {
      const lines = reader.read(from, cut.end, signal);
      const before = sentLines(counts);
      let notJson: number | undefined;
      const onNotJson = (): void => {
        notJson ??= sentLines(counts) - before;
      };
      for await (const chunk of wholeLines(lines, { maxLineBytes: MAX_LINE_BYTES })) {
        for (const line of chunk.split("\n")) {
          const payload = toPayload(line, counts, onNotJson);
          if (notJson !== undefined && reader.notJson !== undefined) {
            throw await reader.notJson(from, notJson);
          }
          if (payload !== null) last = payload;
          if (counts.messages >= enough) return { counts, last, end: undefined };
        }
      }
    }
    from = cut.end;
    end = { offset: from, fingerprint: cut.fingerprint };
  }
  // The piece after each chunk's last newline was counted as a blank line.
  return { counts, last, end };
}

function abortable(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
