import { lstatSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { describeObstacle } from "../ledger/folder.ts";
import { parseJson } from "../shared/json.ts";
import { NotAFileError, readRegular } from "../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../shared/problem.ts";
import { replaceFile } from "../shared/replace-file.ts";
import { clockTime } from "../shared/text.ts";
import type { RunOptions } from "./options.ts";

/** Uploads are paused. */
export interface Pause {
  /** ms since the epoch; null where that is not known. */
  readonly since: number | null;
  /** ms since the epoch; null until somebody resumes. */
  readonly until: number | null;
  /** Why the file that says so cannot be understood; null where it can. */
  readonly damage: string | null;
}

const Instant = v.pipe(v.number(), v.finite());
const PauseSchema = v.object({ since: Instant, until: v.nullable(Instant) });

/**
 * Whether uploads are paused now, or null. A file that is there and cannot be understood counts as a
 * pause without an end: somebody wanted nothing to leave.
 */
export async function readPause(stateDir: string, now: number): Promise<Pause | null> {
  const path = pausePath(stateDir);
  let text: string;
  try {
    // A run asks before each part. A promise that fails would take 0.1 to 0.2 ms of CPU here.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
    text = (await readRegular(path)).toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    // Where the folder is none, the ledger says so, and nothing is sent either.
    if ((await describeObstacle(dirname(path))) !== null) return null;
    const damage = error instanceof NotAFileError ? "it is no regular file" : errnoOf(error);
    return { since: null, until: null, damage };
  }
  const parsed = v.safeParse(PauseSchema, parseJson(text));
  if (!parsed.success) return { since: null, until: null, damage: "what it holds is damaged" };
  const { since, until } = parsed.output;
  return until !== null && until <= now ? null : { since, until, damage: null };
}

/**
 * From now on no run sends anything, of whatever process; one that is going on stops after the part it is in.
 * @param until ms since the epoch; null until {@link resume}
 * @throws {InfluxionError} `PAUSE_UNWRITABLE`
 */
export async function pause(stateDir: string, now: number, until: number | null): Promise<void> {
  const path = pausePath(stateDir);
  await replaceFile(path, `${JSON.stringify({ since: now, until })}\n`).catch((error: unknown) => {
    throw unwritable("uploads could not be paused", path, error);
  });
}

/**
 * Ends a pause, also one that cannot be read.
 * @throws {InfluxionError} `PAUSE_UNWRITABLE`
 */
export async function resume(stateDir: string): Promise<void> {
  const path = pausePath(stateDir);
  await rm(path, { force: true }).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOTDIR") throw unwritable("the pause could not be ended", path, error);
  });
}

/** A sentence while a run may send nothing, else null. */
export async function whyPaused(
  run: Pick<RunOptions, "stateDir" | "ignorePause" | "now">,
): Promise<string | null> {
  if (run.ignorePause === true) return null;
  const now = run.now();
  const paused = await readPause(run.stateDir, now);
  return paused === null ? null : describePause(run.stateDir, paused, now);
}

/** "uploads are paused until 14:05". @param now ms since the epoch */
export function describePause(stateDir: string, { until, damage }: Pause, now: number): string {
  if (damage !== null) {
    return `the file that says whether uploads are paused cannot be read (${damage}), so nothing is sent until "openclaw influxion resume": ${pausePath(stateDir)}`;
  }
  return until === null
    ? "uploads are paused"
    : `uploads are paused until ${clockTime(until, now)}`;
}

export function pausePath(stateDir: string): string {
  return join(stateDir, "influxion", "pause.json");
}

function unwritable(what: string, path: string, cause: unknown): InfluxionError {
  return new InfluxionError(
    "PAUSE_UNWRITABLE",
    `${what} (${errnoOf(cause) || "unexpected failure"}): ${path}; see that you can write there, or move away what is in its place`,
    { cause },
  );
}
