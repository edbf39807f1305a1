import * as v from "valibot";
import { parseJson } from "../shared/json.ts";
import { OMITTED_MARK } from "./line-splitter.ts";

/** What was found in a range of lines. Every line is in exactly one of the first four. */
export interface LineCounts {
  /** Entries that are sent as they are. */
  entries: number;
  /** Lines that are not a JSON object, sent as `{"raw": …}`. */
  raw: number;
  /** Lines above the size limit, sent as `{"omitted": …}`. */
  omitted: number;
  /** Lines without content; they are not sent and have no `lineIndex`. */
  blank: number;
  /** Among the entries: those of type `message`. */
  messages: number;
  /** Among the entries: objects without a `type`, sent all the same. */
  untyped: number;
  /** Lines whose bytes were not UTF-8 and were repaired. */
  invalidUtf8: number;
  /** Lines of which credentials were redacted before they were sent. */
  redacted: number;
  /** Lines that could not be searched for credentials, sent as `{"omitted": …}`. */
  withheld: number;
}

export const noLines = (): LineCounts => ({
  entries: 0,
  raw: 0,
  omitted: 0,
  blank: 0,
  messages: 0,
  untyped: 0,
  invalidUtf8: 0,
  redacted: 0,
  withheld: 0,
});

/** Lines that were sent: those with a `lineIndex`. */
export const sentLines = (counts: LineCounts): number =>
  counts.entries + counts.raw + counts.omitted;

/** Adds `more` to `sum`, in place. */
export function addCounts(sum: LineCounts, more: LineCounts): void {
  for (const key of Object.keys(more) as (keyof LineCounts)[]) sum[key] += more[key];
}

/** An entry of any type; unknown types travel untouched. */
const EntrySchema = v.object({ type: v.string() });

const BINARY_BOM = "\u00ef\u00bb\u00bf";

/**
 * The payload for one line from the line splitter, as a binary string, or null for a
 * blank line. Counts what it saw.
 *
 * @param onNotJson notified of a line that is not JSON at all, before it is counted
 */
export function toPayload(line: string, counts: LineCounts, onNotJson?: () => void): string | null {
  if (line.startsWith(OMITTED_MARK)) {
    counts.omitted++;
    return `{"omitted":{"reason":"line-too-long","bytes":${line.slice(OMITTED_MARK.length)}}}`;
  }
  const text = trimmed(line);
  if (text === "") {
    counts.blank++;
    return null;
  }
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (value === undefined) onNotJson?.();
    counts.raw++;
    const raw = Buffer.from(text, "latin1").toString("utf8");
    return Buffer.from(JSON.stringify({ raw })).toString("latin1");
  }
  counts.entries++;
  if (!v.is(EntrySchema, value)) counts.untyped++;
  else if (value.type === "message") counts.messages++;
  return text;
}

/** Without a byte order mark in front and the white space of CRLF or padding behind. */
function trimmed(line: string): string {
  let end = line.length;
  while (end > 0 && isSpace(line.charCodeAt(end - 1))) end--;
  // Alone on its line it marks nothing, and is content.
  const marked = line.startsWith(BINARY_BOM) && end > BINARY_BOM.length;
  const start = marked ? BINARY_BOM.length : 0;
  return start === 0 && end === line.length ? line : line.slice(start, end);
}

/** JSON's own white space (RFC 8259, 2); `trim` would also take bytes of multi-byte characters. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0d || code === 0x09 || code === 0x0a;
}
