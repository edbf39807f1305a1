import type { Config, ConfigWarning } from "../config/config.ts";
import { describeOwner } from "../ledger/lock.ts";
import { describePending } from "../run/deletions.ts";
import { describeTransform } from "../run/first-contact.ts";
import { troubleKey } from "../run/report.ts";
import type { AgentState, Counts, UploadState } from "../run/state.ts";
import type { Clock } from "../shared/clock.ts";
import { bytes, count, plain, plural, when } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import { describeProblem, describeUnmatched, notTaken } from "./sync-format.ts";
import { field, painter, type Terminal } from "./terminal.ts";

/** How many failing sessions are listed without `--verbose`. */
const LISTED = 10;

/** From when on a run is late, in ms. */
const LATE_MS = 120_000;

export interface FormatOptions extends Clock {
  readonly stateDir: string;
  /** Every agent and every failing session. */
  readonly verbose: boolean;
  readonly terminal: Pick<Terminal, "out">;
  readonly configWarnings: readonly ConfigWarning[];
}

/** `openclaw influxion status` for people. */
export function formatStatus(
  { verbose, terminal, now, stateDir, configWarnings }: FormatOptions,
  config: Config,
  state: UploadState,
): string {
  const paint = painter(terminal.out);
  const at = now();
  return [
    `Influxion ${VERSION}: configured\n\n`,
    ...destination(config),
    ...disclosure(config, state),
    ...runs(config, state, at, paint),
    ...(verbose ? [field("State", plain(stateDir))] : []),
    ...hold(state, at, paint),
    `\n${table(state.counts, paint)}`,
    ...(verbose ? state.agents.map((agent) => formatAgent(agent, paint)) : []),
    ...failing(state, verbose, at, paint),
    notes(state, configWarnings, at),
  ].join("");
}

/** `sk-…wxyz`; nothing of a short key, which could be guessed from it. */
export function maskKey(apiKey: Config["apiKey"]): string {
  if (typeof apiKey !== "string") return `secret reference ${apiKey.source}:${apiKey.id}`;
  return apiKey.length < 16 ? "set" : `${apiKey.slice(0, 3)}…${apiKey.slice(-4)}`;
}

function destination({ apiUrl, deploymentId, projectId, apiKey }: Config): string[] {
  return [
    field("Target", plain(apiUrl)),
    field("Deployment", plain(deploymentId)),
    field("Project", plain(projectId)),
    field("API key", plain(maskKey(apiKey))),
  ];
}

/** How much is sent of a session; and what the first upload to a new destination will be. */
function disclosure({ content, redact, filter }: Config, state: UploadState): string[] {
  const { level, images } = content;
  const less = Object.keys(filter.agents.content).length > 0 ? " or less, by agent" : "";
  const most = `${level}${images ? "" : ", no-images"}${less}`;
  const lines = [field("Sends", describeTransform([most], redact.secrets))];
  const { pending, pendingBytes } = state.counts;
  if (state.hasTaken || pending === 0) return lines;
  const first = `${count(pending, "session")}, ${bytes(pendingBytes)}; nothing has been sent to this target yet`;
  return [...lines, field("To send", first)];
}

/** When uploads were and will be. */
function runs(
  { everyMs, upload }: Config,
  state: UploadState,
  now: number,
  paint: Paint,
): string[] {
  const { uploading, lastRun: last } = state;
  const isOff = everyMs === 0;
  const every = isOff ? 'off; only "openclaw influxion sync" uploads' : `every ${upload.every}`;
  const lines = [field("Interval", every), field("Last run", lastRun(state, now, paint))];
  const delivered = last?.lastUpload;
  if (delivered !== undefined && (last?.report?.sent.parts ?? 0) === 0) {
    const { at, sessions, lines: sent } = delivered;
    const what = `${count(sent, "line")} of ${count(sessions, "session")}`;
    lines.push(field("Last upload", `${when(Date.parse(at), now)}, ${what}`));
  }
  if (!isOff && last?.nextAt !== undefined) {
    const next = Date.parse(last.nextAt);
    // A run that is late because one is going on, or because a command is uploading, comes after that.
    const overdue =
      uploading === null
        ? paint("yellow", `was due ${when(next, now)}; is the Gateway running?`)
        : "after this upload";
    lines.push(field("Next run", next < now - LATE_MS ? overdue : when(next, now)));
  }
  lines.push(field("Uploader", uploading === null ? "idle" : plain(describeOwner(uploading))));
  return lines;
}

/** Why the interval sends nothing now. */
function hold({ refused, notBefore }: UploadState, now: number, paint: Paint): string[] {
  if (refused !== null) {
    return [
      `\n${paint("red", "The API refuses the credentials")}: ${plain(refused.reason)}.\n`,
      'Nothing is sent on the interval until apiKey changes or you run "openclaw influxion sync".\n',
    ];
  }
  if (notBefore === null || notBefore <= now) return [];
  const span = when(notBefore, now).slice(3);
  return [`\nThe API asked to wait; the interval sends nothing for ${span}.\n`];
}

function formatAgent(agent: AgentState, paint: Paint): string {
  return `\nAgent ${plain(describeAgent(agent))}\n${rows(agent.counts, paint)}`;
}

function failing(state: UploadState, verbose: boolean, now: number, paint: Paint): string[] {
  const listed = state.failing.slice(0, verbose ? state.failing.length : LISTED);
  const lines = [
    ...state.failures,
    ...state.agents.flatMap(({ agentId, failures }) =>
      failures.map((failure) => `${agentId}: ${failure}`),
    ),
    ...listed.map(({ agentId, sessionId, reason, retryAt }) => {
      const again = retryAt === undefined ? "" : `; tried again ${when(retryAt, now)}`;
      return `${agentId}/${sessionId}: ${reason}${again}`;
    }),
  ].map((line) => `  ${plain(line)}\n`);
  if (lines.length === 0) return [];
  const more = state.failing.length - listed.length;
  const others = more === 0 ? [] : [`  … and ${more} more; see --verbose\n`];
  return [`\n${paint("red", "Failing")}\n`, ...lines, ...others];
}

/** `main (jsonl and sqlite; also called alias)` */
function describeAgent({ agentId, names, excludedBy, stores }: AgentState): string {
  const others = names.filter((name) => name !== agentId);
  const facts = [
    stores.join(" and ") || "no readable store",
    ...(others.length === 0 ? [] : [`also called ${others.join(", ")}`]),
    ...(excludedBy === null ? [] : [`excluded by ${excludedBy}`]),
  ];
  return `${agentId} (${facts.join("; ")})`;
}

type Paint = ReturnType<typeof painter>;

function lastRun({ lastRun: last }: UploadState, now: number, paint: Paint): string {
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

function table(counts: Counts, paint: Paint): string {
  return `${count(counts.found, "session")} found\n${rows(counts, paint)}`;
}

function rows(counts: Counts, paint: Paint): string {
  const skipped = Object.values(counts.skipped).reduce((sum, n) => sum + n, 0);
  const by = Object.entries(counts.skipped).map(([filter, n]) => `${filter}: ${n}`);
  const settling =
    counts.settling === 0 ? "" : `; ${counts.settling} being rewritten by OpenClaw now`;
  const growing =
    counts.growing === 0 ? "" : `${counts.growing} with a last line still being written`;
  const failing = String(counts.failing);
  return [
    field("uploaded", suffixed(counts.uploaded, growing)),
    field(
      "pending",
      suffixed(
        counts.pending,
        counts.pending === 0 ? "" : `${bytes(counts.pendingBytes)} to send${settling}`,
      ),
    ),
    field("skipped", suffixed(skipped, by.join(", "))),
    field("failing", counts.failing === 0 ? failing : paint("red", failing)),
  ].join("");
}

function suffixed(n: number, note: string): string {
  return note === "" ? String(n) : `${String(n).padEnd(6)}${note}`;
}

function notes(state: UploadState, configWarnings: readonly ConfigWarning[], now: number): string {
  const lines = configWarnings.map(({ message }) => plain(message));
  lines.push(...state.problems.map(describeProblem));
  const found = new Set(state.problems.map(troubleKey));
  for (const { at, ...problem } of state.lastRun?.met ?? []) {
    if (found.has(troubleKey(problem))) continue;
    lines.push(`${when(Date.parse(at), now)}: ${describeProblem(problem)}`);
  }
  const pending = state.deletions.length;
  if (pending > 0) {
    const failed = state.deletions.findLast((one) => one.failed !== undefined)?.failed;
    lines.push(plain(describePending(pending, failed?.reason)));
  }
  lines.push(...state.unmatched.map(describeUnmatched));
  if (state.rejectedLines > 0) lines.push(notTaken(state.rejectedLines));
  if (state.omittedLines > 0) {
    const its = plural(state.omittedLines, "its length", "their lengths");
    lines.push(`${count(state.omittedLines, "line")} too long to send; the API knows ${its}`);
  }
  return lines.length === 0 ? "" : `\nNotes\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
