import type { Config } from "../config/config.ts";
import { isAhead } from "../shared/clock.ts";
import { bytes, clockTime, count, plural, when } from "../shared/text.ts";
import { MAX_RETRY_AFTER_MS } from "../upload/retry-after.ts";
import { storeFailures, type UploadState } from "./state.ts";

/** From when on a run is late, in ms. */
export const LATE_MS = 120_000;

export type HeadlineKind =
  /** Only commands upload. */
  | "off"
  | "paused"
  | "uploading"
  /** The API did not accept the credentials. */
  | "refused"
  /** The API asked to wait. */
  | "waiting"
  | "unreachable"
  /** Nothing can be uploaded for a reason on this machine. */
  | "stopped"
  /** A session or an agent is, or a deletion. */
  | "failing"
  /** The Gateway did not do a run that was due. */
  | "late"
  | "up-to-date"
  /** Something is to be sent, and nothing is wrong. */
  | "behind";

/** What is true of uploads now, in one clause. */
export interface Headline {
  readonly kind: HeadlineKind;
  /** Not made {@link plain}: a reason may be in it. */
  readonly text: string;
}

export type HeadlineConfig = Pick<Config, "everyMs">;

/** What is true now; of several things the one that has to be known first. @param now ms since the epoch */
export function headlineOf(config: HeadlineConfig, state: UploadState, now: number): Headline {
  return (
    uploading(state, now) ??
    paused(state, now) ??
    held(state, now) ??
    unable(state) ??
    late(config, state, now) ??
    unreachable(config, state, now) ??
    failing(state) ??
    idle(config, state, now)
  );
}

/** Whether something fails that is not all of it. */
export function isFailing(state: UploadState): boolean {
  return failing(state) !== null;
}

function uploading({ uploading: owner }: UploadState, now: number): Headline | null {
  if (owner === null) return null;
  const who = { gateway: " by the Gateway", command: " by a command", unknown: "" }[owner.role];
  const at = Date.parse(owner.since ?? "");
  const since = Number.isNaN(at) ? "" : ` since ${clockTime(at, now)}`;
  return { kind: "uploading", text: `uploading${who}${since}` };
}

function paused({ paused: pause }: UploadState, now: number): Headline | null {
  if (pause === null) return null;
  const { until, damage } = pause;
  if (damage !== null) {
    const text = `stopped: the file that says whether uploads are paused cannot be read (${damage}); "openclaw influxion resume" removes it`;
    return { kind: "stopped", text };
  }
  return {
    kind: "paused",
    text: until === null ? "paused" : `paused until ${clockTime(until, now)}`,
  };
}

function held({ refused, notBefore }: UploadState, now: number): Headline | null {
  if (refused !== null) return { kind: "refused", text: "refused: nothing is sent" };
  if (notBefore === null || !isAhead(notBefore, now, MAX_RETRY_AFTER_MS)) return null;
  return { kind: "waiting", text: `waiting for the API until ${clockTime(notBefore, now)}` };
}

/** Of the last run only what ended it: what was interrupted, or came to somebody else's upload, goes on later. */
function unable({ problems, lastRun }: UploadState): Headline | null {
  const unwritable = problems.find(({ code }) => code === "LEDGER_UNWRITABLE");
  if (unwritable !== undefined) return { kind: "stopped", text: `stopped: ${unwritable.message}` };
  const { failure = null, attempt } = lastRun ?? {};
  const isOver = failure === null || (attempt?.outcome ?? "failed") !== "failed";
  return isOver ? null : { kind: "stopped", text: `stopped: ${failure}` };
}

function late(config: HeadlineConfig, state: UploadState, now: number): Headline | null {
  const next = nextRun(config, state);
  if (next === null || next >= now - LATE_MS) return null;
  const text = `late: a run was due ${when(next, now)}; is the Gateway running?`;
  return { kind: "late", text };
}

function unreachable(config: HeadlineConfig, state: UploadState, now: number): Headline | null {
  if (state.lastRun?.report?.outcome !== "unreachable") return null;
  // What it asked for is over, and nobody has tried since.
  const what = state.notBefore === null ? "the API cannot be reached" : "the API asked to wait";
  return { kind: "unreachable", text: `${what}${again(config, state, now)}` };
}

function failing(state: UploadState): Headline | null {
  const { counts, deletions } = state;
  const sessions = counts.failing;
  const others = storeFailures(state).length;
  const unconfirmed = deletions.filter(({ failed }) => failed !== undefined).length;
  const is = (n: number): string => plural(n, "is", "are");
  const what = [
    ...(sessions > 0 ? [`${sessions} of ${count(counts.found, "session")}`] : []),
    ...(others > 0 ? [count(others, "store")] : []),
    ...(unconfirmed > 0 ? [count(unconfirmed, "deletion")] : []),
  ];
  if (what.length === 0) return null;
  const failed = `${what.join(" and ")} ${is(sessions + others + unconfirmed)} failing`;
  const waiting = counts.pending === 0 ? "" : `; ${counts.pending} ${is(counts.pending)} waiting`;
  return { kind: "failing", text: `${failed}${waiting}` };
}

function idle(config: HeadlineConfig, state: UploadState, now: number): Headline {
  const { pending, pendingBytes } = state.counts;
  const waiting = `${count(pending, "session")} to send, ${bytes(pendingBytes)}`;
  if (config.everyMs === 0) {
    const text = pending === 0 ? "off" : `off; ${waiting}`;
    return { kind: "off", text: `${text}; only "openclaw influxion sync" uploads` };
  }
  if (pending === 0) return { kind: "up-to-date", text: "up to date" };
  const next = nextRun(config, state);
  const run = next === null ? "the Gateway has not run yet" : `next run ${soon(next, now)}`;
  return { kind: "behind", text: `${waiting}; ${run}` };
}

/** When the Gateway means to run next, in ms since the epoch; null where that is not known. */
function nextRun({ everyMs }: HeadlineConfig, { lastRun }: UploadState): number | null {
  if (everyMs === 0 || lastRun?.nextAt === undefined) return null;
  return Date.parse(lastRun.nextAt);
}

function again(config: HeadlineConfig, state: UploadState, now: number): string {
  const next = nextRun(config, state);
  return next === null ? "" : `; tried again ${soon(next, now)}`;
}

/** One that was due this moment is about to begin. */
const soon = (next: number, now: number): string => (next <= now ? "now" : when(next, now));
