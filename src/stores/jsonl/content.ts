import * as v from "valibot";
import { asObject, isObject, parseJson } from "../../shared/json.ts";

/** How many of a file's first lines may be damaged before it no longer counts as a session. */
const LINES_LOOKED_AT = 20;

const BOM = "\ufeff";

const HeaderSchema = v.object({ type: v.literal("session") });

/** An entry of a session whose header was cut off by a compaction of OpenClaw 2026.2. */
const EntrySchema = v.object({
  type: v.string(),
  id: v.string(),
  parentId: v.nullable(v.string()),
  timestamp: v.string(),
  traceSchema: v.optional(v.never()),
});

/**
 * Whether `head`, the first bytes of a file, are of a session: one of its first
 * lines is the header or an entry. A first line longer than `head` is judged by
 * how it begins.
 */
export function looksLikeSession(head: Buffer): boolean {
  const lines = head.toString("utf8").replace(BOM, "").split("\n", LINES_LOOKED_AT);
  return lines.some((line) => {
    const value = parseJson(line);
    return value === undefined
      ? lines.length === 1 && /^\s*\{\s*"type"\s*:\s*"[a-z_]+"/.test(line)
      : v.is(HeaderSchema, value) || v.is(EntrySchema, value);
  });
}

/** Whether `head`, the first bytes of a file, has entries and no newline between them, but carriage returns. */
export function isSeparatedByReturns(head: Buffer): boolean {
  if (head.includes("\n")) return false;
  const [first = "", second = ""] = head.toString("utf8").replace(BOM, "").split("\r", 2);
  return isObject(parseJson(first)) && second.trimStart().startsWith("{");
}

/** Whether `line` is one whole JSON object. */
export function isJsonObject(line: Buffer): boolean {
  return isObject(parseJson(line.toString("utf8")));
}

/** Lines that are looked at for when a session began: behind its header come those that a fork copies. */
const FIRST_LINES = 3;

/** The last millisecond a `Date` knows. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * The earliest time in the first lines of `head`, in ms since the epoch; null when the first of them is
 * no header: what was before it is not known. Only whole lines count.
 */
export function startTimeOf(head: Buffer): number | null {
  const lines = head.toString("utf8").replace(BOM, "").split("\n").slice(0, -1);
  const entries = lines.slice(0, FIRST_LINES).map(parseJson);
  const times = entries.map((entry) => timeOf(asObject(entry).timestamp));
  if (!v.is(HeaderSchema, entries[0]) || times[0] === null) return null;
  return Math.min(...times.filter((time) => time !== null));
}

/** What the `timestamp` of an entry means, in ms since the epoch; null for what is no time. */
export function timeOf(timestamp: unknown): number | null {
  const time = typeof timestamp === "string" ? Date.parse(timestamp) : timestamp;
  return typeof time === "number" && Math.abs(time) <= MAX_TIME_MS ? time : null;
}
