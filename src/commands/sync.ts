import { setTimeout as sleep } from "node:timers/promises";
import { type Config, type ConfigResult, formatConfigProblem, MINIMAL_CONFIG } from "../config.ts";
import { noteRun } from "../last-run.ts";
import { describeOwner } from "../ledger/lock.ts";
import type { PlannedSession } from "../parts.ts";
import { InfluxionError } from "../problem.ts";
import type { RunReport } from "../report.ts";
import { dryRun, type RunEvents, type RunOptions } from "../run.ts";
import { findAgents } from "../stores/agents.ts";
import { SETTLE_MS } from "../stores/store.ts";
import { bytes, count, plain, span } from "../text.ts";
import { ProgressLine, painter, type Terminal } from "./terminal.ts";

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
    if (!(error instanceof InfluxionError)) throw error;
    const { code, message } = error;
    if (json) writeJson(terminal, { outcome: "error", error: { code, message } });
    terminal.err.write(
      `${painter(terminal.err)("red", "Nothing was uploaded")}: ${plain(message)}\n`,
    );
    return code === "LOCKED" ? EXIT.unreachable : EXIT.usage;
  }
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

/** Shows how a run goes on: a line on a terminal, a word about trouble everywhere. */
class Progress {
  readonly events: RunEvents;
  readonly #line: ProgressLine;

  constructor({ err }: Terminal, startedAt: number) {
    this.#line = new ProgressLine(err);
    let planned = 0;
    let done = 0;
    let sent = 0;
    let shownAt = 0;
    const show = (): void => {
      const now = Date.now();
      if (now - shownAt < 100) return;
      shownAt = now;
      const rate = (sent * 1000) / Math.max(1, now - startedAt);
      this.#line.show(
        `Uploading: ${done} of ${count(planned, "session")}, ${bytes(sent)} sent, ${bytes(rate)}/s`,
      );
    };
    const say = (text: string): void => {
      this.#line.clear();
      err.write(`${text}\n`);
    };
    this.events = {
      onWait: (owner) => say(`Waiting: ${plain(describeOwner(owner))}.`),
      onPlan: (plan) => {
        planned = plan.length;
      },
      onBytes: (more) => {
        sent += more;
        show();
      },
      onSession: () => {
        done++;
        show();
      },
      onRetry: ({ agentId, sessionId }, reason, waitMs) =>
        say(
          `${plain(`${agentId}/${sessionId}`)}: ${plain(reason)}; trying again in ${span(waitMs)}`,
        ),
    };
  }

  end(): void {
    this.#line.clear();
  }
}

function summary(report: RunReport, { out }: Terminal, all: boolean): string {
  const paint = painter(out);
  const { sent, outcome, reason, left } = report;
  const lines: string[] = [];
  if (outcome === "refused" || outcome === "unreachable") {
    const what =
      outcome === "refused" ? "The API refused the upload" : "The API could not be reached";
    lines.push(`${paint("red", what)}: ${plain(reason ?? "")}`);
  }
  if (sent.parts > 0) {
    const done = outcome === "done" ? paint("green", "Uploaded") : "Uploaded";
    const source = `${bytes(sent.sourceBytes)} of transcripts`;
    lines.push(
      `${done} ${count(sent.lines, "line")} of ${count(sent.sessions, "session")}: ${source}, ${bytes(sent.wireBytes)} on the wire.`,
    );
  } else if (outcome === "done") {
    lines.push(
      left.sessions === 0
        ? "Nothing to upload: everything is up to date."
        : "Nothing could be uploaded now.",
    );
  }
  const { raw, omitted, invalidUtf8, rejected } = report.lines;
  if (raw > 0) lines.push(`${count(raw, "line")} that was not a JSON object went as raw text.`);
  if (omitted > 0) lines.push(`${count(omitted, "line")} was too long; only its length was sent.`);
  if (invalidUtf8 > 0)
    lines.push(`${count(invalidUtf8, "line")} had bytes that are not UTF-8; they were replaced.`);
  if (rejected > 0)
    lines.push(paint("yellow", `${count(rejected, "line")} arrived and was not taken by the API.`));
  for (const note of report.failures) lines.push(paint("red", `Failed: ${words(note)}`));
  if (report.failed > report.failures.length) {
    lines.push(paint("red", `… and ${report.failed - report.failures.length} more failures.`));
  }
  for (const note of report.postponed) lines.push(paint("yellow", `Later: ${words(note)}`));
  for (const warning of report.warnings) lines.push(`The API says: ${plain(warning)}`);
  for (const { message } of report.problems) lines.push(`Note: ${plain(message)}`);
  if (left.sessions > 0 && outcome !== "refused" && outcome !== "unreachable") {
    const next = all ? "" : ' The next run goes on with them; "--all" does it now.';
    lines.push(`${count(left.sessions, "session")} still waiting, ${bytes(left.bytes)}.${next}`);
  }
  return `${lines.join("\n")}\n`;
}

function words({ agentId, sessionId, reason }: RunReport["failures"][number]): string {
  return plain(sessionId === "" ? `${agentId}: ${reason}` : `${agentId}/${sessionId}: ${reason}`);
}

function writeJson({ out }: Terminal, document: unknown): void {
  out.write(`${JSON.stringify(document, null, 2)}\n`);
}
