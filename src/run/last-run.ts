import { join } from "node:path";
import * as v from "valibot";
import { readRegular } from "../shared/open-file.ts";
import type { Problem } from "../shared/problem.ts";
import { removeLeftTemps, replaceFile } from "../shared/replace-file.ts";
import {
  type Attempt,
  appendHistory,
  attemptEntry,
  type HistoryEntry,
  reportEntry,
} from "./history.ts";
import { isOfRun, MAX_REPORTED, type RunReport, troubleKey } from "./report.ts";
import { addRun, type Totals, TotalsSchema } from "./totals.ts";

/** What `status` reports about the last run: kept apart from the ledger, which an idle run must not write. */
export interface LastRun {
  readonly report: RunReport | null;
  /** Why there was no run at all, e.g. a locked ledger; null when there was one. */
  readonly failure: string | null;
  /** ISO 8601 */
  readonly at: string;
  /** What became of it where there is no report. */
  readonly attempt?: Attempt | undefined;
  /** When the service means to run next, ISO 8601. */
  readonly nextAt?: string | undefined;
  /** The last run that delivered something. */
  readonly lastUpload?: LastUpload | undefined;
  /** What the last runs met and no scan finds again, the latest first. */
  readonly met?: readonly MetProblem[] | undefined;
  readonly totals?: Totals | undefined;
}

/** Something that happened in a run. */
export interface MetProblem extends Problem {
  /** ISO 8601 */
  readonly at: string;
}

export interface LastUpload {
  /** ISO 8601 */
  readonly at: string;
  readonly sessions: number;
  readonly lines: number;
}

const LastRunSchema = v.object({
  report: v.nullable(
    v.looseObject({ outcome: v.string(), startedAt: v.string(), sent: v.looseObject({}) }),
  ),
  failure: v.nullable(v.string()),
  at: v.string(),
  attempt: v.exactOptional(
    v.looseObject({ outcome: v.string(), startedAt: v.string(), trigger: v.string() }),
  ),
  nextAt: v.exactOptional(v.string()),
  lastUpload: v.exactOptional(
    v.object({ at: v.string(), sessions: v.number(), lines: v.number() }),
  ),
  met: v.exactOptional(
    v.array(v.looseObject({ at: v.string(), code: v.string(), message: v.string() })),
  ),
  totals: v.exactOptional(TotalsSchema),
});

/** How long `status` reports what happened in a run, in ms: until somebody has looked, as far as that can be guessed. */
const REPORTED_FOR_MS = 7 * 24 * 3_600_000;

const pathOf = (stateDir: string): string => join(stateDir, "influxion", "last-run.json");

/** The last run of service or command, or null when none is known. */
export async function readLastRun(stateDir: string): Promise<LastRun | null> {
  try {
    const text = (await readRegular(pathOf(stateDir))).toString("utf8");
    const parsed = v.safeParse(LastRunSchema, JSON.parse(text));
    return parsed.success ? (parsed.output as unknown as LastRun) : null;
  } catch {
    return null;
  }
}

/** What is to be noted of a run. */
export type RunNote = Pick<LastRun, "report" | "failure" | "attempt" | "at" | "nextAt">;

/**
 * Notes a run, here and in the history. What it says nothing about is kept from the runs before: when the
 * service runs next, when something was delivered last, and for a week what they met. Best effort: a full
 * disk must not turn an upload that worked into a failure.
 */
export async function noteRun(stateDir: string, note: RunNote): Promise<void> {
  const before = await readLastRun(stateDir);
  const { report, at } = note;
  const delivered =
    report !== null && report.sent.parts > 0
      ? { at, sessions: report.sent.sessions, lines: report.sent.lines }
      : before?.lastUpload;
  const lastRun: LastRun = {
    ...note,
    nextAt: note.nextAt ?? before?.nextAt,
    lastUpload: delivered,
    met: metUntil(note, before?.met),
    totals: addRun(before?.totals, report),
  };
  const path = pathOf(stateDir);
  await removeLeftTemps(path);
  await replaceFile(path, `${JSON.stringify(lastRun)}\n`).catch(() => undefined);
  const entry = entryOf(note);
  // Behind the note, which makes the folder where there is none.
  if (entry !== null) await appendHistory(stateDir, entry);
}

function entryOf({ report, failure, attempt, at }: RunNote): HistoryEntry | null {
  if (report !== null) return reportEntry(report);
  return attempt === undefined ? null : attemptEntry(attempt, at, failure);
}

function metUntil(
  { report, at }: Pick<LastRun, "report" | "at">,
  before: readonly MetProblem[] = [],
): MetProblem[] {
  const met = (report?.problems ?? []).filter(isOfRun).map((problem) => ({ ...problem, at }));
  const now = new Set(met.map(troubleKey));
  const earlier = before.filter(
    (problem) =>
      !now.has(troubleKey(problem)) &&
      Math.abs(Date.parse(at) - Date.parse(problem.at)) < REPORTED_FOR_MS &&
      // Each run tries the copy again, so the last one knows.
      (problem.code !== "LEDGER_COPY" || report === null),
  );
  return [...met, ...earlier].slice(0, MAX_REPORTED);
}
