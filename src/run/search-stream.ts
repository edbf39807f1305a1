import { sentLines } from "../lines/entry.ts";
import { MAX_PART_BYTES } from "../protocol/limits.ts";
import { observed } from "../redaction/observer.ts";
import type { Cut, CutOptions, Reader } from "../stores/store.ts";
import { createBody } from "../upload/body.ts";
import type { Transform } from "../upload/transform.ts";

/** A credential in a stream. */
export interface FoundAt {
  /** As the API knows it. */
  readonly lineIndex: number;
  readonly rule: string;
  /** See `mask`. */
  readonly masked: string;
  /** Whether the line was sent; null when that is not known. */
  readonly sent: boolean | null;
}

export interface SearchStreamOptions {
  readonly redactor: Transform["redactor"];
  /** @param offset of the end of the range that the line is in */
  readonly wasSent: (lineIndex: number, offset: number) => boolean | null;
  readonly signal: AbortSignal;
}

/** What was read. */
export interface StreamSum {
  lines: number;
  unsearched: number;
}

/** The envelope is not looked at. */
const FIELDS = { deploymentId: "", projectId: "", agentId: "", sessionId: "", capturedAt: "" };

/**
 * The credentials in a stream, from its beginning to the end of its last whole line. Holds what is found in
 * one part, and no more.
 */
export async function* searchStream(
  reader: Reader,
  options: SearchStreamOptions,
): AsyncGenerator<FoundAt, StreamSum> {
  const { wasSent, signal } = options;
  const sum: StreamSum = { lines: 0, unsearched: 0 };
  for (let from = 0; ; ) {
    signal.throwIfAborted();
    const cut = await nextRange(reader, from, signal);
    if (cut.kind !== "range") return sum;
    if (cut.omitted) {
      sum.lines++;
      sum.unsearched++;
    } else if (cut.blank !== true) {
      for (const found of await searchRange(reader, { ...options, from, end: cut.end, sum })) {
        yield { ...found, sent: wasSent(found.lineIndex, from) };
      }
    }
    from = cut.end;
  }
}

/** A range that is searched as a part would be. */
async function searchRange(
  reader: Reader,
  options: SearchStreamOptions & {
    readonly from: number;
    readonly end: number;
    readonly sum: StreamSum;
  },
): Promise<Omit<FoundAt, "sent">[]> {
  const { redactor, signal, from, end, sum } = options;
  const found: Omit<FoundAt, "sent">[] = [];
  const watching = observed(redactor, (index, { secrets, omitted }) => {
    if (omitted !== undefined) sum.unsearched++;
    for (const { rule, masked } of secrets) {
      found.push({ lineIndex: sum.lines + index, rule, masked });
    }
  });
  await using body = createBody({
    lines: reader.read(from, end, signal),
    fields: FIELDS,
    firstLine: 0,
    coding: "identity",
    transform: { filter: null, redactor: watching },
    notJson: reader.notJson?.bind(reader, from),
  });
  try {
    for await (const _ of body.chunks);
  } catch (error) {
    throw body.sourceError ?? error;
  }
  sum.lines += sentLines(body.counts);
  return found;
}

/** A line whose end is not found yet is searched on. */
async function nextRange(reader: Reader, from: number, signal: AbortSignal): Promise<Cut> {
  let options: CutOptions = { maxBytes: MAX_PART_BYTES, signal };
  for (;;) {
    const cut = await reader.cut(from, options);
    if (cut.kind === "unfinished") options = { ...options, searched: cut.searched };
    else if (cut.kind === "over") options = { ...options, maxBytes: cut.bytes };
    else return cut;
  }
}
