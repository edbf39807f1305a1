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

/** What a session begins with, also where the rest of its first line is not there. */
const BEGINNING = /^\s*\{\s*"type"\s*:\s*"[a-z_]+"/;

/**
 * Whether `head`, the first bytes of a file, are of a session: one of its first
 * lines is the header or an entry. A first line longer than `head` is judged by
 * how it begins.
 */
export function looksLikeSession(head: Buffer): boolean {
  let start = 0;
  for (let looked = 0; looked < LINES_LOOKED_AT && start !== -1; looked++) {
    // Line by line: the first one decides nearly always.
    const newline = head.indexOf("\n", start);
    const text = head.toString("utf8", start, newline === -1 ? head.length : newline);
    const line = start === 0 ? text.replace(BOM, "") : text;
    const value = parseJson(line);
    if (v.is(HeaderSchema, value) || v.is(EntrySchema, value)) return true;
    const isOnlyLine = start === 0 && newline === -1;
    if (value === undefined && isOnlyLine) return BEGINNING.test(line);
    start = newline === -1 ? -1 : newline + 1;
  }
  return false;
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
