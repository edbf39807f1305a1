import type { Config, ConfigWarning } from "../config/config.ts";
import type { ServiceStatus } from "../openclaw/uploads.ts";
import { describeSends } from "../run/first-contact.ts";
import type { Headline, HeadlineKind } from "../run/headline.ts";
import {
  type AgentState,
  type Counts,
  skippedOf,
  storeFailures,
  type UploadState,
} from "../run/state.ts";
import { bytes, count, plain, plural, when } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import { failingLine, stateNotes } from "./state-notes.ts";
import { hold, runs } from "./status-runs.ts";
import { field, type View } from "./status-view.ts";
import { painter, type Terminal } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

/** How many failing sessions are listed without `--verbose`. */
const LISTED = 10;

export interface FormatOptions {
  readonly stateDir: string;
  /** Every agent and every failing session. */
  readonly verbose: boolean;
  readonly terminal: Pick<Terminal, "out">;
  /** ms since the epoch */
  readonly now: number;
  readonly headline: Headline;
  readonly configWarnings: readonly ConfigWarning[];
  /** What the running service says; null where there is none to ask. */
  readonly service: ServiceStatus | null;
}

/** `openclaw influxion status` for people. */
export function formatStatus(
  { verbose, terminal, now, stateDir, headline, configWarnings, service }: FormatOptions,
  config: Config,
  state: UploadState,
): string {
  const paint = painter(terminal.out);
  const view = { now, paint, width: widthOf(terminal.out), kind: headline.kind };
  return [
    `${formatTitle(headline, view)}\n\n`,
    ...destination(config, view),
    ...disclosure(config, state, view),
    ...runs(config, state, service, view),
    ...(verbose ? [field("State", plain(stateDir), view.width)] : []),
    ...hold(state, view),
    `\n${table(state.counts, view)}`,
    ...(verbose ? state.agents.map((agent) => formatAgent(agent, view)) : []),
    ...failing(state, verbose, view),
    notes(state, configWarnings, view),
  ].join("");
}

/** What is true now, in the colour of how bad that is. */
export function formatTitle(
  { kind, text }: Headline,
  { paint, width }: Pick<View, "paint" | "width">,
): string {
  return hang(`Influxion ${VERSION}: `, paint(STYLES[kind], plain(text)), width, 2);
}

const STYLES: Readonly<Record<HeadlineKind, Parameters<View["paint"]>[0]>> = {
  off: "yellow",
  paused: "yellow",
  uploading: "green",
  refused: "red",
  waiting: "yellow",
  unreachable: "red",
  stopped: "red",
  failing: "red",
  late: "yellow",
  "up-to-date": "green",
  behind: "green",
};

/** `sk-…wxyz`; nothing of a short key, which could be guessed from it. */
export function maskKey(apiKey: Config["apiKey"]): string {
  if (typeof apiKey !== "string") return `secret reference ${apiKey.source}:${apiKey.id}`;
  return apiKey.length < 16 ? "set" : `${apiKey.slice(0, 3)}…${apiKey.slice(-4)}`;
}

function destination(
  { apiUrl, deploymentId, projectId, apiKey }: Config,
  { width }: View,
): string[] {
  return [
    field("Target", plain(apiUrl), width),
    field("Deployment", plain(deploymentId), width),
    field("Project", plain(projectId), width),
    field("API key", plain(maskKey(apiKey)), width),
  ];
}

/** How much is sent of a session, and what waits; the first upload to a new destination is named as that. */
function disclosure(
  config: Config,
  { counts, oldestPendingAt, hasTaken }: UploadState,
  { now, width }: View,
): string[] {
  const lines = [field("Sends", describeSends(config), width)];
  const { pending, pendingBytes } = counts;
  if (pending === 0) return lines;
  const age =
    oldestPendingAt === null ? "" : `, the oldest line from ${when(oldestPendingAt, now)}`;
  const first = hasTaken ? "" : "; nothing has been sent to this target yet";
  const waiting = `${count(pending, "session")}, ${bytes(pendingBytes)}${age}${first}`;
  return [...lines, field("To send", waiting, width)];
}

function formatAgent(agent: AgentState, view: View): string {
  const title = hang("Agent ", plain(describeAgent(agent)), view.width, 2);
  return `\n${title}\n${rows(agent.counts, view)}`;
}

function failing(state: UploadState, verbose: boolean, { now, paint, width }: View): string[] {
  const listed = state.failing.slice(0, verbose ? state.failing.length : LISTED);
  const lines = [
    ...storeFailures(state),
    ...listed.map((session) => failingLine(session, now)),
  ].map((line) => `${hang("  ", plain(line), width, 4)}\n`);
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

function table(counts: Counts, view: View): string {
  return `${count(counts.found, "session")} found\n${rows(counts, view)}`;
}

function rows(counts: Counts, { paint, width }: View): string {
  const skipped = skippedOf(counts);
  const by = Object.entries(counts.skipped).map(([filter, n]) => `${filter}: ${n}`);
  const settling =
    counts.settling === 0 ? "" : `; ${counts.settling} being rewritten by OpenClaw now`;
  const growing =
    counts.growing === 0 ? "" : `${counts.growing} with a last line still being written`;
  const failing = String(counts.failing);
  const toSend = counts.pending === 0 ? "" : `${bytes(counts.pendingBytes)} to send${settling}`;
  const tally = (label: string, n: number, note: string): string =>
    field(label, suffixed(n, note), width, NUMBER_WIDTH);
  return [
    tally("uploaded", counts.uploaded, growing),
    tally("pending", counts.pending, toSend),
    tally("skipped", skipped, by.join(", ")),
    field("failing", counts.failing === 0 ? failing : paint("red", failing), width),
  ].join("");
}

/** Cells of the numbers in the table. */
const NUMBER_WIDTH = 6;

function suffixed(n: number, note: string): string {
  return note === "" ? String(n) : `${String(n).padEnd(NUMBER_WIDTH)}${note}`;
}

function notes(
  state: UploadState,
  configWarnings: readonly ConfigWarning[],
  { now, width }: View,
): string {
  const lines = [...configWarnings.map(({ message }) => plain(message)), ...stateNotes(state, now)];
  if (state.omittedLines > 0) {
    const its = plural(state.omittedLines, "its length", "their lengths");
    lines.push(`${count(state.omittedLines, "line")} too long to send; the API knows ${its}`);
  }
  return lines.length === 0
    ? ""
    : `\nNotes\n${lines.map((line) => `${hang("  ", line, width, 4)}\n`).join("")}`;
}
