import type { Config } from "../config/config.ts";
import { describeOwner } from "../ledger/lock.ts";
import type { ServiceStatus } from "../openclaw/uploads.ts";
import { LATE_MS } from "../run/headline.ts";
import type { Pause } from "../run/pause.ts";
import type { UploadState } from "../run/state.ts";
import { bytes, clockTime, count, plain, when } from "../shared/text.ts";
import { field, type View } from "./status-view.ts";
import { hang } from "./wrap.ts";

/** When uploads were and will be. */
export function runs(
  { everyMs, upload }: Config,
  state: UploadState,
  service: ServiceStatus | null,
  view: View,
): string[] {
  const { now, width } = view;
  const { lastRun: last, paused } = state;
  const soon = upload.onChange ? ", and soon after changes" : "";
  const isOff = everyMs === 0;
  const every = isOff
    ? 'off; only "openclaw influxion sync" uploads'
    : `every ${upload.every}${soon}`;
  const lines = [field("Interval", every, width), field("Last run", lastRun(state, view), width)];
  const delivered = last?.lastUpload;
  if (delivered !== undefined) {
    const { at, sessions, lines: sent } = delivered;
    const what = `${count(sent, "line")} of ${count(sessions, "session")}`;
    lines.push(field("Last upload", `${when(Date.parse(at), now)}, ${what}`, width));
  }
  if (paused !== null) lines.push(field("Paused", describeEnd(paused, view), width));
  const next = paused === null ? (nextOf(service, view) ?? nextRun(everyMs, state, view)) : null;
  if (next !== null) lines.push(field("Next run", next, width));
  lines.push(field("Uploader", describeUploader(state, service), width));
  if (service !== null) lines.push(field("Gateway", "running", width));
  return lines;
}

/** "until 14:05 (in 2 h)" */
function describeEnd({ until, damage }: Pause, { now, paint }: View): string {
  const end =
    until === null || damage !== null
      ? 'until "openclaw influxion resume"'
      : `until ${clockTime(until, now)} (${when(until, now)})`;
  return paint("yellow", end);
}

/** As the service says itself. */
function nextOf(service: ServiceStatus | null, { now, kind }: View): string | null {
  if (service === null || kind === "refused" || kind === "waiting") return null;
  if (service.running !== null) return "after this upload";
  if (service.next === null) return null;
  const { at, trigger } = service.next;
  return `${when(at, now)}${trigger === "change" ? ", for what has changed" : ""}`;
}

/** "the Gateway, 3 of 10 sessions, 1.2 MB sent" */
function describeUploader({ uploading }: UploadState, service: ServiceStatus | null): string {
  const running = service?.running ?? null;
  if (running === null) return uploading === null ? "idle" : plain(describeOwner(uploading));
  const { planned, done, bytes: sent } = running;
  if (planned === 0) return "the Gateway, looking for what is new";
  return `the Gateway, ${done} of ${count(planned, "session")}, ${bytes(sent)} sent`;
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
  const by = trigger === "command" ? "by a command" : "by the Gateway";
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
