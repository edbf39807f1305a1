import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { parseJson } from "../shared/json.ts";
import { readRegular, regularStats } from "../shared/open-file.ts";
import { errnoOf } from "../shared/problem.ts";
import { removeLeftTemps, replaceFile } from "../shared/replace-file.ts";
import { count } from "../shared/text.ts";
import { formatNote, type RunReport } from "./report.ts";

/** Runs that are remembered. */
const MAX_RUNS = 100;

/** From this size on the file is written anew with what is remembered, in bytes: twice what that takes at most. */
const REWRITE_BYTES = 256 * 1024;

/** A file that is larger than any this plugin writes is not read, in bytes. */
const MAX_READ_BYTES = 4 * 1024 * 1024;

/** A longer reason is cut off, in characters. */
const MAX_REASON = 300;

const Count = v.pipe(v.number(), v.minValue(0));
const Time = v.pipe(v.string(), v.isoTimestamp());

const EntrySchema = v.object({
  /** When the run ended, ISO 8601. */
  at: Time,
  startedAt: Time,
  /** `interval`, `manual`, or what else may start a run. */
  trigger: v.string(),
  /** A `RunOutcome`; or of a run without a report `failed`, `interrupted` or `locked`. */
  outcome: v.string(),
  /** Why it did not go as it should, or why the first of the failing sessions did not. */
  reason: v.nullable(v.string()),
  sessions: Count,
  lines: Count,
  parts: Count,
  /** Bytes of transcripts. */
  bytes: Count,
  /** Compressed bytes handed to the network, all attempts. */
  wireBytes: Count,
  /** Failing sessions. */
  failed: Count,
  /** What was still waiting then; null where the run did not look. */
  waiting: v.nullable(v.object({ sessions: Count, bytes: Count })),
  durationMs: Count,
  /** How many runs in a row sent nothing for the same reason, of which `startedAt` is of the first. @default 1 */
  times: v.exactOptional(Count),
});

/** What one run did, or several in a row that sent nothing for the same reason. */
export type HistoryEntry = Readonly<v.InferOutput<typeof EntrySchema>>;

/** A run that came to no report. */
export interface Attempt {
  readonly startedAt: string;
  readonly trigger: RunReport["trigger"];
  readonly outcome: "failed" | "interrupted" | "locked";
}

export const historyPath = (stateDir: string): string =>
  join(stateDir, "influxion", "history.jsonl");

/** What a run leaves in the history; null for one that found nothing to do, which is most of them. */
export function reportEntry(report: RunReport): HistoryEntry | null {
  const { outcome, sent, failed, deletions, found, left, startedAt, endedAt } = report;
  const isIdle = outcome === "done" && failed === 0 && sent.parts + (deletions?.done ?? 0) === 0;
  if (isIdle) return null;
  const { sessions, lines, parts, sourceBytes, wireBytes } = sent;
  return {
    at: endedAt,
    startedAt,
    trigger: nameOf(report.trigger),
    outcome,
    reason: reasonOf(report),
    sessions,
    lines,
    parts,
    bytes: sourceBytes,
    wireBytes,
    failed,
    waiting: found === undefined ? null : { sessions: left.sessions, bytes: left.bytes },
    durationMs: between(startedAt, endedAt),
  };
}

/** The same of a run that has no report; what it had sent by then is not known. */
export function attemptEntry(attempt: Attempt, at: string, reason: string | null): HistoryEntry {
  const { startedAt, trigger, outcome } = attempt;
  const sent = { sessions: 0, lines: 0, parts: 0, bytes: 0, wireBytes: 0, failed: 0 };
  const durationMs = between(startedAt, at);
  const why = reason === null ? null : cut(reason);
  const run = { at, startedAt, trigger: nameOf(trigger), outcome, reason: why };
  return { ...run, ...sent, waiting: null, durationMs };
}

/** Adds a run to the history. Best effort: without it the run is none the worse. */
export async function appendHistory(stateDir: string, entry: HistoryEntry): Promise<void> {
  const path = historyPath(stateDir);
  try {
    await removeLeftTemps(path);
    const size = await sizeOf(path);
    if (size < REWRITE_BYTES) return await appendLine(path, JSON.stringify(entry));
    const kept = collapse([...(await readHistory(stateDir)), entry]).slice(-MAX_RUNS);
    await replaceFile(path, kept.map((one) => `${JSON.stringify(one)}\n`).join(""));
  } catch {
    // A full disk, or something else in its place: the run is reported elsewhere, too.
  }
}

/** The last {@link MAX_RUNS} runs, the newest last; lines that are damaged or half-written are passed over. */
export async function readHistory(stateDir: string): Promise<HistoryEntry[]> {
  const text = await readRegular(historyPath(stateDir), MAX_READ_BYTES).then(
    (bytes) => bytes.toString("utf8"),
    () => "",
  );
  const entries = text.split("\n").flatMap((line) => {
    const parsed = v.safeParse(EntrySchema, parseJson(line));
    return parsed.success ? [parsed.output] : [];
  });
  return collapse(entries).slice(-MAX_RUNS);
}

/** One entry for runs in a row that sent nothing for the same reason, as of an API that is down all night. */
function collapse(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const collapsed: HistoryEntry[] = [];
  for (const entry of entries) {
    const before = collapsed.at(-1);
    if (before === undefined || !isSame(before, entry)) {
      collapsed.push(entry);
      continue;
    }
    const times = (before.times ?? 1) + (entry.times ?? 1);
    collapsed[collapsed.length - 1] = { ...entry, startedAt: before.startedAt, times };
  }
  return collapsed;
}

function isSame(before: HistoryEntry, entry: HistoryEntry): boolean {
  const isEqual = (["trigger", "outcome", "reason", "failed"] as const).every(
    (key) => before[key] === entry[key],
  );
  return isEqual && entry.outcome !== "done" && before.parts + entry.parts === 0;
}

/** 0 where there is none yet. @throws {NotAFileError} for anything but a file */
async function sizeOf(path: string): Promise<number> {
  try {
    return Number((await regularStats(path)).size);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}

/** Two processes may append at once: each line is one write. */
async function appendLine(path: string, line: string): Promise<void> {
  const { O_APPEND, O_CREAT, O_RDWR, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const file = await open(path, O_APPEND | O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1, "\n");
    if (size > 0) await file.read(last, 0, 1, size - 1);
    // Behind a line that was cut off by a crash, another one begins.
    await file.writeFile(last.toString() === "\n" ? `${line}\n` : `\n${line}\n`);
  } finally {
    await file.close();
  }
}

function reasonOf({ reason, failures, failed }: RunReport): string | null {
  if (reason !== undefined) return cut(reason);
  const [first] = failures;
  if (first === undefined) return null;
  const others = failed > 1 ? `; and ${count(failed - 1, "more failure")}` : "";
  return `${cut(formatNote(first))}${others}`;
}

const cut = (text: string): string =>
  text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}…` : text;

/** A command is what a user starts. */
const nameOf = (trigger: RunReport["trigger"]): string =>
  trigger === "command" ? "manual" : trigger;

/** In ms; a clock that was set back meanwhile gives 0. */
const between = (start: string, end: string): number =>
  Math.max(0, Date.parse(end) - Date.parse(start));
