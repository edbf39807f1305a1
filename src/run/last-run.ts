import { join } from "node:path";
import * as v from "valibot";
import { readRegular } from "../shared/open-file.ts";
import { removeLeftTemps, replaceFile } from "../shared/replace-file.ts";
import type { RunReport } from "./report.ts";

/** Writing it takes milliseconds: what has been half-written for this long was killed, in ms. */
const LEFT_AFTER_MS = 60_000;

/** What `status` tells about the last run: kept apart from the ledger, which an idle run must not write. */
export interface LastRun {
  readonly report: RunReport | null;
  /** Why there was no run at all, e.g. a locked ledger; null when there was one. */
  readonly failure: string | null;
  /** ISO 8601 */
  readonly at: string;
  /** When the service means to run next, ISO 8601. */
  readonly nextAt?: string | undefined;
  /** The last run that delivered something. */
  readonly lastUpload?: LastUpload | undefined;
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
  nextAt: v.exactOptional(v.string()),
  lastUpload: v.exactOptional(
    v.object({ at: v.string(), sessions: v.number(), lines: v.number() }),
  ),
});

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

/**
 * Notes a run. What it says nothing about is kept from the runs before: when the
 * service runs next, and when something was delivered last. Best effort: a full
 * disk must not turn an upload that worked into a failure.
 */
export async function noteRun(
  stateDir: string,
  note: Pick<LastRun, "report" | "failure" | "at" | "nextAt">,
): Promise<void> {
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
  };
  const path = pathOf(stateDir);
  await removeLeftTemps(path, LEFT_AFTER_MS);
  await replaceFile(path, `${JSON.stringify(lastRun)}\n`).catch(() => undefined);
}
