import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../protocol/limits.ts";
import type { Position, Reader, Searched } from "../stores/store.ts";
import { addCounts, type LineCounts, noLines, sentLines, toPayload } from "./entry.ts";
import { wholeLines } from "./line-splitter.ts";

export interface ScanOptions {
  readonly from: number;
  /** Where to stop; the end of the last whole line by default. */
  readonly until?: number;
  /** Stop as soon as this many messages were seen. */
  readonly enough?: number;
  /** How far the end of a very long line was searched for before. */
  readonly searched?: Searched | undefined;
  /** Stop at the end of a range when this many bytes of source were read. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Scan {
  readonly counts: LineCounts;
  /** The last payload, as a binary string. */
  readonly last: string | undefined;
  /** How far whole ranges were counted; undefined when it stopped within one, or found none. */
  readonly end: Pick<Position, "offset" | "fingerprint"> | undefined;
  /** It went to the end, behind which there is at most a line that is still being written. */
  readonly isWhole: boolean;
  /** It came to a line so long that its end was not found yet. */
  readonly searched?: Searched;
}

/** Counts what is in a range of a stream, as an upload would, in bounded memory. */
export async function scan(reader: Reader, options: ScanOptions): Promise<Scan> {
  const { until = Number.POSITIVE_INFINITY, enough = Number.POSITIVE_INFINITY, signal } = options;
  const { maxBytes = Number.POSITIVE_INFINITY, searched } = options;
  const counts = noLines();
  let last: string | undefined;
  let end: Scan["end"];
  let from = options.from;
  for (let bytes = 0; from < until && bytes < maxBytes; ) {
    signal?.throwIfAborted();
    const room = Math.min(MAX_PART_BYTES, until - from);
    const cut = await reader.cut(from, { maxBytes: room, searched, ...(signal && { signal }) });
    if (cut.kind === "unfinished") {
      return { counts, last, end, isWhole: false, searched: cut.searched };
    }
    if (cut.kind !== "range") return { counts, last, end, isWhole: cut.kind === "end" };
    if (cut.omitted) addCounts(counts, { ...noLines(), omitted: 1 });
    else {
      for await (const payload of payloads(reader, from, cut.end, counts, signal)) {
        last = payload;
        if (counts.messages >= enough) return { counts, last, end: undefined, isWhole: false };
      }
    }
    bytes += cut.bytes;
    from = cut.end;
    end = { offset: from, fingerprint: cut.fingerprint };
  }
  return { counts, last, end, isWhole: false };
}

/** The payloads of the lines in a range, which are added to `counts`. */
async function* payloads(
  reader: Reader,
  from: number,
  end: number,
  counts: LineCounts,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const before = sentLines(counts);
  let notJson: number | undefined;
  const onNotJson = (): void => {
    notJson ??= sentLines(counts) - before;
  };
  const lines = reader.read(from, end, signal);
  for await (const chunk of wholeLines(lines, { maxLineBytes: MAX_LINE_BYTES })) {
    // The piece after a chunk's last newline counts as a blank line.
    for (const line of chunk.split("\n")) {
      const payload = toPayload(line, counts, onNotJson);
      if (notJson !== undefined && reader.notJson !== undefined) {
        throw await reader.notJson(from, notJson);
      }
      if (payload !== null) yield payload;
    }
  }
}
