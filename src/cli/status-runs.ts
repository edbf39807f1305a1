import type { Config } from "../config/config.ts";
import { describeOwner } from "../ledger/lock.ts";
import { LATE_MS } from "../run/headline.ts";
import type { UploadState } from "../run/state.ts";
import { bytes, count, plain, when } from "../shared/text.ts";
import { field, type View } from "./status-view.ts";
import { hang } from "./wrap.ts";

/** When uploads were and will be. */
export function runs({ everyMs, upload }: Config, state: UploadState, view: View): string[] {
  const { now, width } = view;
  const { uploading, lastRun: last } = state;
  const every =
    everyMs === 0 ? 'off; only "openclaw influxion sync" uploads' : `every ${upload.every}`;
  const lines = [field("Interval", every, width), field("Last run", lastRun(state, view), width)];
  const delivered = last?.lastUpload;
  if (delivered !== undefined) {
    const { at, sessions, lines: sent } = delivered;
    const what = `${count(sent, "line")} of ${count(sessions, "session")}`;
    lines.push(field("Last upload", `${when(Date.parse(at), now)}, ${what}`, width));
  }
  const next = nextRun(everyMs, state, view);
  if (next !== null) lines.push(field("Next run", next, width));
  lines.push(
    field("Uploader", uploading === null ? "idle" : plain(describeOwner(uploading)), width),
  );
  return lines;
}

/** Null where it is not known, or would send nothing. */
function nextRun(
  everyMs: number,
  { uploading, notBefore, lastRun }: UploadState,
  { now, paint, kind }: View,
): string | null {
  if (everyMs === 0 || lastRun?.nextAt === undefined || kind === "refused") return null;
  const next = Date.parse(lastRun.nextAt);
  if (kind === "waiting" && next < (notBefore ?? 0)) return null;
  if (next >= now - LATE_MS) return when(next, now);
  // A run that is late because one is going on, or because a command is uploading, comes after that.
  if (uploading !== null) return "after this upload";
  return paint("yellow", `was due ${when(next, now)}; is the Gateway running?`);
}

/** Why the interval sends nothing now. */
export function hold(
  { refused, notBefore }: UploadState,
  { now, paint, width, kind }: View,
): string[] {
  if (refused !== null) {
    const title = paint("red", "The API refuses the credentials");
    const rest =
      'Nothing is sent on the interval until apiKey changes or you run "openclaw influxion sync".';
    return [
      `\n${hang("", `${title}: ${plain(refused.reason)}.`, width, 2)}\n`,
      `${hang("", rest, width, 2)}\n`,
    ];
  }
  if (kind !== "waiting" || notBefore === null) return [];
  const span = when(notBefore, now).slice(3);
  return [
    `\n${hang("", `The API asked to wait; the interval sends nothing for ${span}.`, width, 2)}\n`,
  ];
}

function lastRun({ lastRun: last }: UploadState, { now, paint }: View): string {
  if (last === null) return "none yet";
  const ago = when(Date.parse(last.at), now);
  if (last.report === null)
    return `${ago}, ${paint("red", "failed")}: ${plain(last.failure ?? "unknown")}`;
  const { outcome, reason, sent, trigger } = last.report;
  const by = trigger === "interval" ? "by the Gateway" : "by a command";
  const result = outcome === "done" ? paint("green", "done") : paint("yellow", outcome);
  const why = reason === undefined ? "" : `: ${plain(reason)}`;
  const what =
    sent.parts === 0
      ? "nothing sent"
      : `${count(sent.sessions, "session")}, ${count(sent.lines, "line")}, ${bytes(sent.wireBytes)} on the wire`;
  const answer =
    last.report.lastAnswer === undefined ? "" : `; the API ${plain(last.report.lastAnswer)}`;
  return `${ago} ${by}, ${result}${why}; ${what}${reason === undefined ? answer : ""}`;
}
