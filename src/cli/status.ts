import {
  type Config,
  type ConfigResult,
  formatConfigProblem,
  MINIMAL_CONFIG,
} from "../config/config.ts";
import { LedgerError } from "../ledger/files.ts";
import { describeOwner } from "../ledger/lock.ts";
import { troubleKey } from "../run/report.ts";
import { StoreError } from "../shared/problem.ts";
import { bytes, count, oneOr, plain, when } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import type { HostLayout } from "../stores/layout.ts";
import { type AgentState, type Counts, readState, type UploadState } from "./state.ts";
import { describeProblem, describeUnmatched, notTaken } from "./sync-words.ts";
import { field, painter, type Terminal, writeJson } from "./terminal.ts";

export interface StatusOptions {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. */
  readonly layout?: HostLayout | undefined;
  readonly config: ConfigResult;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly terminal: Terminal;
  readonly now: () => number;
}

/** How many failing sessions are listed without `--verbose`. */
const LISTED = 10;

/**
 * `openclaw influxion status`: looks, touches nothing and calls nobody.
 * @returns the exit code: 0, or 1 when the config or the ledger keeps uploads off
 */
export async function status(options: StatusOptions): Promise<number> {
  const { stateDir, layout, config, json, terminal, now } = options;
  const paint = painter(terminal.out);
  if (!config.ok) {
    const problems = config.problems;
    if (json) {
      writeJson(terminal, {
        version: VERSION,
        configured: false,
        stateDir,
        configProblems: problems,
      });
      return 1;
    }
    terminal.out.write(
      `Influxion ${VERSION}: ${paint("yellow", "not configured, nothing is uploaded")}\n\n`,
    );
    for (const problem of problems)
      terminal.out.write(`  ${plain(formatConfigProblem(problem))}\n`);
    terminal.out.write(`\nThe minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`);
    return 1;
  }
  let state: UploadState;
  try {
    state = await readState(stateDir, config.config, now, layout);
  } catch (error) {
    if (!(error instanceof LedgerError || error instanceof StoreError)) throw error;
    const { code, message } = error;
    if (json)
      writeJson(terminal, {
        version: VERSION,
        configured: true,
        stateDir,
        error: { code, message },
      });
    else
      terminal.out.write(
        `Influxion ${VERSION}: ${paint("red", "uploads are stopped")}\n\n  ${plain(message)}\n`,
      );
    return 1;
  }
  if (json) writeJson(terminal, toJson(options, config.config, state));
  else terminal.out.write(render(options, config.config, state));
  return 0;
}

/** `sk-…wxyz`; nothing of a short key, which could be guessed from it. */
export function maskKey(apiKey: Config["apiKey"]): string {
  if (typeof apiKey !== "string") return `secret reference ${apiKey.source}:${apiKey.id}`;
  return apiKey.length < 16 ? "set" : `${apiKey.slice(0, 3)}…${apiKey.slice(-4)}`;
}

function toJson({ stateDir }: StatusOptions, config: Config, state: UploadState): unknown {
  const { apiUrl, deploymentId, projectId, apiKey, everyMs, upload } = config;
  return {
    version: VERSION,
    configured: true,
    stateDir,
    target: { apiUrl, deploymentId, projectId, apiKey: maskKey(apiKey) },
    interval: { every: upload.every, everyMs },
    ...state,
  };
}

function render(
  { verbose, terminal, now, stateDir }: StatusOptions,
  config: Config,
  state: UploadState,
): string {
  const paint = painter(terminal.out);
  const at = now();
  const { counts, uploading } = state;
  const lines: string[] = [];
  const off = config.everyMs === 0;
  lines.push(`Influxion ${VERSION}: configured\n\n`);
  lines.push(field("Target", plain(config.apiUrl)));
  lines.push(field("Deployment", plain(config.deploymentId)));
  lines.push(field("Project", plain(config.projectId)));
  lines.push(field("API key", plain(maskKey(config.apiKey))));
  lines.push(
    field(
      "Interval",
      off ? 'off; only "openclaw influxion sync" uploads' : `every ${config.upload.every}`,
    ),
  );
  lines.push(field("Last run", lastRun(state, at, paint)));
  const delivered = state.lastRun?.lastUpload;
  if (delivered !== undefined && (state.lastRun?.report?.sent.parts ?? 0) === 0) {
    const { at: then, sessions, lines: sent } = delivered;
    const what = `${count(sent, "line")} of ${count(sessions, "session")}`;
    lines.push(field("Last upload", `${when(Date.parse(then), at)}, ${what}`));
  }
  if (!off && state.lastRun?.nextAt !== undefined) {
    const next = Date.parse(state.lastRun.nextAt);
    const late = next < at - 120_000;
    // A run that is late because one is going on, or because a command is uploading, comes after that.
    const overdue =
      uploading === null
        ? paint("yellow", `was due ${when(next, at)}; is the Gateway running?`)
        : "after this upload";
    lines.push(field("Next run", late ? overdue : when(next, at)));
  }
  lines.push(
    field("Uploading", uploading === null ? "nobody now" : plain(describeOwner(uploading))),
  );
  if (verbose) lines.push(field("State", plain(stateDir)));
  if (state.refused !== null) {
    lines.push(
      `\n${paint("red", "The API refuses the credentials")}: ${plain(state.refused.reason)}.\n`,
    );
    lines.push(
      'Nothing is sent on the interval until apiKey changes or you run "openclaw influxion sync".\n',
    );
  } else if (state.notBefore !== null && state.notBefore > at) {
    lines.push(
      `\nThe API asked to wait; the interval sends nothing for ${when(state.notBefore, at).slice(3)}.\n`,
    );
  }
  lines.push(`\n${table(counts, paint)}`);
  if (verbose) {
    for (const agent of state.agents) {
      lines.push(`\nAgent ${plain(describeAgent(agent))}\n`);
      lines.push(rows(agent.counts, paint));
    }
  }
  const listed = state.failing.slice(0, verbose ? state.failing.length : LISTED);
  const unread = [
    ...state.failures.map((failure) => `  ${plain(failure)}\n`),
    ...state.agents.flatMap(({ agentId, failures }) =>
      failures.map((failure) => `  ${plain(`${agentId}: ${failure}`)}\n`),
    ),
  ];
  if (listed.length + unread.length > 0) lines.push(`\n${paint("red", "Failing")}\n`, ...unread);
  for (const { agentId, sessionId, reason, retryAt } of listed) {
    const again = retryAt === undefined ? "" : `; tried again ${when(retryAt, at)}`;
    lines.push(`  ${plain(`${agentId}/${sessionId}`)}: ${plain(reason)}${again}\n`);
  }
  if (state.failing.length > listed.length) {
    lines.push(`  … and ${state.failing.length - listed.length} more; see --verbose\n`);
  }
  lines.push(notes(state, at));
  return lines.join("");
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
  const words = outcome === "done" ? paint("green", "done") : paint("yellow", outcome);
  const why = reason === undefined ? "" : `: ${plain(reason)}`;
  const what =
    sent.parts === 0
      ? "nothing sent"
      : `${count(sent.sessions, "session")}, ${count(sent.lines, "line")}, ${bytes(sent.wireBytes)} on the wire`;
  const answer =
    last.report.lastAnswer === undefined ? "" : `; the API ${plain(last.report.lastAnswer)}`;
  return `${ago} ${by}, ${words}${why}; ${what}${reason === undefined ? answer : ""}`;
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

function notes(state: UploadState, now: number): string {
  const lines = state.problems.map(describeProblem);
  const found = new Set(state.problems.map(troubleKey));
  for (const { at, ...problem } of state.lastRun?.met ?? []) {
    if (found.has(troubleKey(problem))) continue;
    lines.push(`${when(Date.parse(at), now)}: ${describeProblem(problem)}`);
  }
  lines.push(...state.unmatched.map(describeUnmatched));
  if (state.rejectedLines > 0) lines.push(notTaken(state.rejectedLines));
  if (state.omittedLines > 0) {
    const its = oneOr(state.omittedLines, "its length", "their lengths");
    lines.push(`${count(state.omittedLines, "line")} too long to send; the API knows ${its}`);
  }
  return lines.length === 0 ? "" : `\nNotes\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
