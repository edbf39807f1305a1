import { setTimeout as sleep } from "node:timers/promises";
import type { Config, LocalConfig } from "../config/config.ts";
import type { HandedOptions } from "../openclaw/hand-over.ts";
import type { SecretsOf } from "../openclaw/host.ts";
import { chooseSession, withoutSparing } from "../run/choose-session.ts";
import type { DryRunOptions } from "../run/dry-run.ts";
import type { Attempt } from "../run/history.ts";
import { noteRun, type RunNote } from "../run/last-run.ts";
import { LOCK_WAIT_MS } from "../run/lock-wait.ts";
import type { RunContext, RunOptions } from "../run/options.ts";
import { describePause, readPause } from "../run/pause.ts";
import type { RunReport } from "../run/report.ts";
import { InfluxionError, LockedError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { SETTLE_MS } from "../stores/idle.ts";
import type { HostProxy } from "../upload/proxy.ts";
import { checkAgent } from "./check-agent.ts";
import type { Setup } from "./command-input.ts";
import { describeMissing } from "./describe-missing.ts";
import { describeFailure, EXIT, exitCodeOf } from "./exit.ts";
import { localSecrets } from "./local-secrets.ts";
import { Progress, summary } from "./sync-format.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { formatUnconfigured, warningLines } from "./unconfigured.ts";
import { wrapLines } from "./wrap.ts";

/** How often `--all` waits for sessions that the host is rewriting, before it leaves them to a later run. */
const SETTLE_ROUNDS = 3;

const HOW_TO_GO_ON =
  '"openclaw influxion resume" ends that, and "sync --force" sends in spite of it';

/** As the user gave them. */
export interface SyncFlags {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly all?: boolean;
  /** Also while uploads are paused. */
  readonly force?: boolean;
  /** Only this agent, by any of its names. */
  readonly agent?: string;
  /** Only this session: its id, a key, a label, or `<agent>/<id>`. */
  readonly session?: string;
}

export interface SyncOptions {
  /** A dry run may have a config that is not complete. */
  readonly setup: Setup & Partial<Pick<LocalConfig, "missing">>;
  readonly flags: SyncFlags;
  readonly context: Omit<RunContext, "events">;
  /** Finds what the config only refers to. */
  readonly secrets: SecretsOf;
  readonly proxy?: HostProxy | undefined;
  /** Does one run; on a thread of its own, if that matters. */
  readonly run: (options: RunOptions) => Promise<RunReport>;
  /** Has the service do one, which notes it; null when there is none, and nothing has begun. @default there is none */
  readonly handOver?: ((options: HandedOptions) => Promise<RunReport | null>) | undefined;
  readonly terminal: Terminal;
}

/** `openclaw influxion sync`. Returns the exit code, see {@link EXIT}. */
export async function sync(options: SyncOptions): Promise<number> {
  const { setup, flags, terminal } = options;
  const { config, missing = [] } = setup;
  const { json = false, dryRun = false } = flags;
  const configWarnings = config.warnings;
  if (!config.ok) {
    const configProblems = config.problems;
    if (json) writeJson(terminal, { outcome: "not-configured", configProblems, configWarnings });
    const title = `Nothing was uploaded: the config ${dryRun ? "has to be corrected" : "is not complete"}.`;
    terminal.err.write(formatUnconfigured(title, config, terminal.err));
    return EXIT.usage;
  }
  terminal.err.write(warningLines(configWarnings, terminal.err));
  if (missing.length > 0) terminal.err.write(`${describeMissing(missing)}\n`);
  const reports: RunReport[] = [];
  try {
    const scope = await scopeOf(options, config.config);
    if (dryRun) {
      const { showPlan } = await import("./dry-run.ts");
      const local = await dryRunOptions(options, scope);
      return await showPlan(terminal, json, local, configWarnings);
    }
    await assertNotPaused(options);
    return await upload(options, scope, reports);
  } catch (error) {
    return reportAborted(options, error, reports);
  }
}

/** @throws {InfluxionError} `PAUSED`; a run finds out by itself, but only when it has the lock */
async function assertNotPaused({ setup, flags, context }: SyncOptions): Promise<void> {
  if (flags.force === true) return;
  const now = context.now();
  const paused = await readPause(setup.stateDir, now);
  if (paused === null) return;
  const ways = paused.damage === null ? `; ${HOW_TO_GO_ON}` : "";
  throw new InfluxionError("PAUSED", `${describePause(setup.stateDir, paused, now)}${ways}`);
}

/** What is to be sent: everything, an agent's sessions, or one session. */
type Scope = Pick<RunOptions, "config" | "agentId" | "only">;

/** @throws {InfluxionError} `NO_SUCH_AGENT`, or what {@link chooseSession} throws */
async function scopeOf(
  { setup, flags: { agent, session }, context }: SyncOptions,
  config: Config,
): Promise<Scope> {
  if (agent !== undefined) await checkAgent(setup, context, config, agent);
  if (session === undefined) return { config, agentId: agent };
  const { stateDir, layout } = setup;
  const where = { stateDir, layout, config, agentId: agent };
  const { key, agentId } = await chooseSession({ ...context, ...where }, session);
  return { config: withoutSparing(config), agentId, only: new Set([key]) };
}

/** A run that did not come to its end, after others that may have. */
function reportAborted(
  { setup, flags: { json = false }, context: { signal }, terminal }: SyncOptions,
  error: unknown,
  runs: readonly RunReport[],
): number {
  const configWarnings = setup.config.warnings;
  if (signal.aborted) {
    const exitCode = EXIT.interrupted;
    if (json) writeJson(terminal, { outcome: "interrupted", exitCode, runs, configWarnings });
    terminal.err.write(
      "Interrupted. What has been confirmed is recorded; the next run goes on from there.\n",
    );
    return exitCode;
  }
  const begun = error instanceof Aborted || runs.some((report) => report.sent.parts > 0);
  const { exitCode, ...failure } = describeFailure(error instanceof Aborted ? error.cause : error);
  if (json)
    writeJson(terminal, { outcome: "error", error: failure, exitCode, runs, configWarnings });
  const what = painter(terminal.err)(
    "red",
    begun ? "The upload ended early" : "Nothing was uploaded",
  );
  terminal.err.write(`${wrapLines([`${what}: ${plain(failure.message)}`], terminal.err)}\n`);
  return exitCode;
}

/** Around a failure after which something of the run may have arrived. */
class Aborted extends Error {
  constructor(cause: unknown) {
    super("the run was aborted", { cause });
  }
}

/**
 * One run; with `all`, more of them only to wait for sessions that the host is rewriting.
 * A run with `all` goes on by itself until nothing that it found is waiting.
 */
async function upload(options: SyncOptions, scope: Scope, reports: RunReport[]): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { json = false, all = false } = flags;
  const { stateDir } = setup;
  const [session] = scope.only ?? [];
  for (;;) {
    // Once: each further try would double a session's back-off.
    const retryBackedOff = reports.length === 0;
    const report = await oneRun(options, { ...runOptions(options, scope), retryBackedOff });
    const about = { all, stateDir, session, before: reports };
    if (!json) terminal.out.write(summary(report, terminal, about));
    reports.push(report);
    const isOver = report.outcome !== "done" && report.outcome !== "partial";
    if (!all || isOver || report.left.settling === 0 || reports.length > SETTLE_ROUNDS) break;
    terminal.err.write("Waiting for OpenClaw to finish writing.\n");
    await sleep(SETTLE_MS, undefined, { signal: context.signal });
  }
  const exitCode = exitCodeOf(reports);
  if (json) {
    const outcome = reports.at(-1)?.outcome;
    const configWarnings = setup.config.warnings;
    writeJson(terminal, { outcome, exitCode, runs: reports, configWarnings });
  }
  return exitCode;
}

/** One run: by the service where there is one, else by this process. */
async function oneRun(options: SyncOptions, runOptions: PlainRun): Promise<RunReport> {
  const progress = new Progress(options.terminal, options.context.now());
  const { events } = progress;
  try {
    const handed = await options.handOver?.({ ...runOptions, events });
    return handed ?? (await ownRun(options, { ...runOptions, events }));
  } catch (error) {
    throw progress.sent > 0 ? new Aborted(error) : error;
  } finally {
    progress.end();
  }
}

/** One run in this process, noted for `status` however it ends. */
async function ownRun(
  { run, secrets, setup, context: { now, signal } }: SyncOptions,
  runOptions: PlainRun & Pick<RunOptions, "events">,
): Promise<RunReport> {
  const startedAt = new Date(now()).toISOString();
  const note = (what: Pick<RunNote, "report" | "failure" | "attempt">): Promise<void> =>
    noteRun(setup.stateDir, { ...what, at: new Date(now()).toISOString() });
  const noteFailure = (failure: string, outcome: Attempt["outcome"]): Promise<void> =>
    note({ report: null, failure, attempt: { startedAt, trigger: "command", outcome } });
  try {
    const report = await run({ ...runOptions, ...(await secrets(runOptions.config)) });
    await note({ report, failure: null });
    return report;
  } catch (error) {
    // Whoever holds the lock notes its own run.
    if (signal.aborted) await noteFailure("interrupted", "interrupted");
    else if (!(error instanceof LockedError)) {
      await noteFailure(describeFailure(error).message, "failed");
    }
    throw error;
  }
}

/** What is asked of a run, without what the config only refers to. */
type PlainRun = Omit<RunOptions, "apiKey" | "events">;

/** A key that is not known is not looked for either; whatever else must not leave has to be known. */
async function dryRunOptions(options: SyncOptions, scope: Scope): Promise<DryRunOptions> {
  const secrets = await localSecrets(options.secrets, scope.config, options.terminal);
  return { ...runOptions(options, scope), ...secrets };
}

function runOptions(
  { setup: { stateDir, layout }, flags, context, proxy }: SyncOptions,
  scope: Scope,
): Omit<RunOptions, "apiKey" | "events"> {
  return {
    ...context,
    ...scope,
    stateDir,
    layout,
    proxy,
    all: flags.all,
    trigger: "command",
    // A user who syncs asks for another try of everything.
    ignoreHold: true,
    ignorePause: flags.force,
    retryBackedOff: true,
    lockWaitMs: LOCK_WAIT_MS,
  };
}
