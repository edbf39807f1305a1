import { setTimeout as sleep } from "node:timers/promises";
import { type Config, type ConfigResult, formatConfigProblem, MINIMAL_CONFIG } from "../config.ts";
import { noteRun } from "../last-run.ts";
import type { PlannedSession } from "../parts.ts";
import { InfluxionError } from "../problem.ts";
import type { RunReport } from "../report.ts";
import { dryRun, type RunOptions } from "../run.ts";
import { findAgents } from "../stores/agents.ts";
import { SETTLE_MS } from "../stores/store.ts";
import { bytes, count, plain } from "../text.ts";
import { Progress, summary } from "./sync-words.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";

/** What `openclaw influxion sync` ends with; documented in the README. */
export const EXIT = { done: 0, usage: 1, partial: 2, unreachable: 3, interrupted: 130 } as const;

/** How long to wait for another uploader, in ms. */
const LOCK_WAIT_MS = 60_000;

/** How often `--all` waits for sessions that the host is rewriting, before it leaves them to a later run. */
const SETTLE_ROUNDS = 3;

export interface SyncOptions {
  readonly stateDir: string;
  readonly config: ConfigResult;
  /** Turns the config's key into the key itself. */
  readonly apiKey: (key: Config["apiKey"]) => Promise<string>;
  readonly proxyUrl?: string | undefined;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly all: boolean;
  readonly agentId?: string | undefined;
  /** Does one run; on a thread of its own, if that matters. */
  readonly run: (options: RunOptions) => Promise<RunReport>;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly random: () => number;
}

/** `openclaw influxion sync`. Returns the exit code, see {@link EXIT}. */
export async function sync(options: SyncOptions): Promise<number> {
  const { config, terminal, json, agentId, stateDir, now } = options;
  if (!config.ok) {
    if (json) writeJson(terminal, { outcome: "not-configured", configProblems: config.problems });
    terminal.err.write("Nothing was uploaded: the config is not complete.\n\n");
    for (const problem of config.problems)
      terminal.err.write(`  ${plain(formatConfigProblem(problem))}\n`);
    terminal.err.write(`\nThe minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`);
    return EXIT.usage;
  }
  try {
    if (agentId !== undefined) await checkAgent(stateDir, agentId, now);
    return options.dryRun
      ? await showPlan(options, config.config)
      : await upload(options, config.config);
  } catch (error) {
    if (options.signal.aborted) {
      if (json) writeJson(terminal, { outcome: "interrupted" });
      terminal.err.write(
        "Interrupted. What has been confirmed is recorded; the next run goes on from there.\n",
      );
      return EXIT.interrupted;
    }
    const { code, message } = failureOf(error);
    if (json) writeJson(terminal, { outcome: "error", error: { code, message } });
    terminal.err.write(
      `${painter(terminal.err)("red", "Nothing was uploaded")}: ${plain(message)}\n`,
    );
    return code === "LOCKED" ? EXIT.unreachable : EXIT.usage;
  }
}

/** One that was not foreseen is told in one line, too: scripts wait for a document, and people for a sentence. */
function failureOf(error: unknown): { code: string; message: string } {
  if (error instanceof InfluxionError) return error;
  return { code: "UNEXPECTED", message: `unexpected failure, please report it: ${String(error)}` };
}

async function checkAgent(stateDir: string, agentId: string, now: () => number): Promise<void> {
  await using found = await findAgents({ stateDir, now, knownBytes: () => undefined });
  const names = found.agents.map((agent) => agent.agentId);
  if (names.includes(agentId)) return;
  const there =
    names.length === 0 ? "none has any transcript here" : `there are: ${names.join(", ")}`;
  throw new InfluxionError("NO_SUCH_AGENT", `no agent "${agentId}"; ${there}`);
}

async function upload(options: SyncOptions, config: Config): Promise<number> {
  const { terminal, json, all, stateDir, now, signal } = options;
  const apiKey = await options.apiKey(config.apiKey);
  const reports: RunReport[] = [];
  let settleRounds = 0;
  for (;;) {
    const progress = new Progress(terminal, now());
    let report: RunReport;
    try {
      report = await options.run({
        ...runOptions(options, config),
        apiKey,
        events: progress.events,
      });
    } finally {
      progress.end();
    }
    reports.push(report);
    await noteRun(stateDir, { report, failure: null, at: new Date(now()).toISOString() });
    if (!json) terminal.out.write(summary(report, terminal, all));
    if (!all || report.left.sessions === 0 || report.outcome === "refused") break;
    if (report.outcome === "unreachable") break;
    if (report.sent.parts > 0) continue;
    if (report.left.settling === 0 || settleRounds === SETTLE_ROUNDS) break;
    settleRounds++;
    terminal.err.write("Waiting for OpenClaw to finish writing.\n");
    await sleep(SETTLE_MS, undefined, { signal });
  }
  const code = Math.max(...reports.slice(-1).map(exitCode), ...reports.map(failedCode));
  if (json)
    writeJson(terminal, { outcome: reports.at(-1)?.outcome, exitCode: code, runs: reports });
  return code;
}

function exitCode({ outcome }: RunReport): number {
  if (outcome === "refused" || outcome === "unreachable") return EXIT.unreachable;
  return outcome === "partial" ? EXIT.partial : EXIT.done;
}

/** With `--all`, a session that failed in an earlier round has failed. */
function failedCode({ failed }: RunReport): number {
  return failed > 0 ? EXIT.partial : EXIT.done;
}

function runOptions(options: SyncOptions, config: Config): Omit<RunOptions, "apiKey" | "events"> {
  const { stateDir, proxyUrl, agentId, signal, now, random } = options;
  const trigger = "command";
  return {
    stateDir,
    config,
    proxyUrl,
    agentId,
    signal,
    now,
    random,
    trigger,
    lockWaitMs: LOCK_WAIT_MS,
  };
}

async function showPlan(options: SyncOptions, config: Config): Promise<number> {
  const { terminal, json } = options;
  const { plan, survey } = await dryRun(runOptions(options, config));
  const total = plan.reduce((sum, session) => sum + session.bytes, 0);
  const waiting = survey.sessions.filter((session) => session.state.kind === "pending").length;
  if (json) {
    writeJson(terminal, { dryRun: true, sessions: plan.map(toJson), totalBytes: total, waiting });
    return EXIT.done;
  }
  const { out } = terminal;
  for (const { session, streams, bytes: size } of plan) {
    const parts = streams.reduce((sum, { record }) => sum + (record.parts?.length ?? 0), 0);
    const from = streams[0]?.record.position.lines ?? 0;
    const name = plain(`${session.agentId}/${session.sessionId}`);
    const start = from === 0 ? "from its beginning" : `from line ${from}`;
    out.write(`  ${name}  ${bytes(size)} ${start}, ${count(parts, "part")}\n`);
  }
  out.write(
    `This run would send ${count(plan.length, "session")}, ${bytes(total)} before compression. Nothing was sent.\n`,
  );
  const later = waiting - plan.length;
  if (later > 0) out.write(`${count(later, "more session")} would wait for the next runs.\n`);
  return EXIT.done;
}

function toJson({ session, streams, bytes: size }: PlannedSession): unknown {
  const { agentId, sessionId } = session;
  return {
    agentId,
    sessionId,
    bytes: size,
    parts: streams.flatMap(({ stream, store, record }) => {
      let from = record.position.offset;
      return (record.parts ?? []).map((part) => {
        const range = {
          store: store.kind,
          source: stream.source,
          from,
          end: part.end,
          bytes: part.bytes,
        };
        from = part.end;
        return range;
      });
    }),
  };
}
