import type { Config } from "../config/config.ts";
import { describeFirstContact } from "../run/first-contact.ts";
import { IdleCache } from "../run/idle-cache.ts";
import { noteRun, type RunNote } from "../run/last-run.ts";
import type { RunEvents, RunOptions, RunTrigger } from "../run/options.ts";
import { describePause, readPause } from "../run/pause.ts";
import type { RunReport } from "../run/report.ts";
import { runInWorker } from "../run/worker-runner.ts";
import { asInfluxionError, LockedError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { readLayout } from "../stores/layout.ts";
import type { GatewayContext } from "./context.ts";
import { hostProxyOf, resolveSecrets } from "./host.ts";
import { fieldsOfFailure } from "./record-run.ts";
import { ProgressWatch, type RunProgress } from "./run-progress.ts";
import type { ScheduledRun } from "./scheduler.ts";
import { Reported, tellRun } from "./tell-run.ts";
import type { RunEnd } from "./timetable.ts";

/** A run that a command asks for, as it would do it itself. */
export interface CommandedRun extends Pick<ScheduledRun, "signal" | "nextAt"> {
  readonly input: Pick<RunOptions, "all" | "agentId" | "ignorePause" | "retryBackedOff">;
  readonly lockWaitMs: number;
  readonly events: RunEvents;
}

/** The runs of the service, one after the other. */
export class ServiceRuns {
  readonly #context: GatewayContext;
  readonly #config: Config;
  readonly #reported = new Reported();
  readonly #runs = new IdleCache(runInWorker);
  #isIntroduced = false;
  #pauseTold: string | null = null;
  #watch: ProgressWatch | null = null;
  #failure: string | null = null;

  constructor(context: GatewayContext, config: Config) {
    this.#context = context;
    this.#config = config;
  }

  /** The run that is going on, or null. */
  get progress(): RunProgress | null {
    return this.#watch?.progress ?? null;
  }

  /** Why the last run did not do all that was due, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  /** One run: done, told in the log and noted for `status`. Never throws. */
  async scheduled(run: ScheduledRun): Promise<RunEnd> {
    if (await this.#isPaused()) return { kind: "paused" };
    const startedAt = Date.now();
    try {
      return endOf(await this.#watched(run, {}, (options) => this.#runs.run(options)));
    } catch (error) {
      return await this.#failed(run, run.trigger, error, startedAt);
    }
  }

  /** The same in the place of a command, with what the command wants of it. @throws what the run throws */
  async commanded({ input, lockWaitMs, events, ...run }: CommandedRun): Promise<RunReport> {
    const startedAt = Date.now();
    const own = { ...input, lockWaitMs, events, ignoreHold: true };
    try {
      return await this.#watched({ ...run, trigger: "command" }, own, runInWorker);
    } catch (error) {
      if (run.signal.aborted) await this.#interrupted(run, startedAt);
      else await this.#failed(run, "command", error, startedAt);
      throw error;
    }
  }

  async #watched(
    { signal, trigger, nextAt }: Pick<ScheduledRun, "signal" | "nextAt"> & { trigger: RunTrigger },
    own: Partial<RunOptions>,
    carryOut: (options: RunOptions) => Promise<RunReport>,
  ): Promise<RunReport> {
    const { stateDir, config: hostConfig } = this.#context;
    const watch = new ProgressWatch(trigger, Date.now());
    this.#watch = watch;
    try {
      const report = await carryOut({
        stateDir,
        layout: readLayout(hostConfig),
        config: this.#config,
        ...(await resolveSecrets(this.#config, hostConfig)),
        proxy: hostProxyOf(hostConfig),
        trigger,
        lockWaitMs: 0,
        signal,
        now: Date.now,
        random: Math.random,
        ...own,
        events: both({ ...watch.events, onFirstContact: this.#introduce }, own.events ?? {}),
      });
      tellRun(this.#context, report, this.#reported);
      this.#failure = report.outcome === "done" ? null : (report.reason ?? report.outcome);
      await this.#note(nextAt, { report, failure: null });
      return report;
    } finally {
      this.#watch = null;
    }
  }

  #introduce: NonNullable<RunEvents["onFirstContact"]> = (contact) => {
    const { logger } = this.#context;
    if (!this.#isIntroduced) logger.info(`influxion: ${plain(describeFirstContact(contact))}`);
    this.#isIntroduced = true;
  };

  /** Whether nothing may be sent now, which is told once. */
  async #isPaused(): Promise<boolean> {
    const { stateDir, logger } = this.#context;
    const now = Date.now();
    const paused = await readPause(stateDir, now);
    const reason = paused === null ? null : plain(describePause(stateDir, paused, now));
    if (reason !== null && reason !== this.#pauseTold) logger.info(`influxion: ${reason}`);
    this.#pauseTold = reason;
    return reason !== null;
  }

  async #failed(
    { signal, nextAt }: Pick<ScheduledRun, "signal" | "nextAt">,
    trigger: RunTrigger,
    error: unknown,
    startedAt: number,
  ): Promise<RunEnd> {
    if (signal.aborted) return { kind: "failed" };
    const { logger, serviceHealth, record } = this.#context;
    const known = asInfluxionError(error);
    const isLocked = known instanceof LockedError;
    // Whoever uploads notes its own run; only the interval mentions it, which comes more seldom.
    if (isLocked && trigger !== "interval") return { kind: "incomplete" };
    // The host's log and its health page are looked at in terminals, too.
    const failure = plain(known.message);
    logger[isLocked ? "info" : "warn"](`influxion: no upload this time: ${failure}`);
    if (!isLocked) {
      this.#failure = failure;
      record?.("influxion: run", fieldsOfFailure(known, trigger, Date.now() - startedAt));
      serviceHealth?.reportFailure(new Error(failure));
    }
    const outcome = isLocked ? "locked" : "failed";
    const attempt = { startedAt: new Date(startedAt).toISOString(), trigger, outcome } as const;
    await this.#note(nextAt, { report: null, failure, attempt });
    return { kind: isLocked ? "incomplete" : "failed" };
  }

  async #interrupted({ nextAt }: Pick<ScheduledRun, "nextAt">, startedAt: number): Promise<void> {
    const began = new Date(startedAt).toISOString();
    const attempt = { startedAt: began, trigger: "command", outcome: "interrupted" } as const;
    await this.#note(nextAt, { report: null, failure: "interrupted", attempt });
  }

  async #note(
    nextAt: ScheduledRun["nextAt"],
    note: Pick<RunNote, "report" | "failure" | "attempt">,
  ): Promise<void> {
    const now = Date.now();
    const next = nextAt(now);
    await noteRun(this.#context.stateDir, {
      ...note,
      at: new Date(now).toISOString(),
      nextAt: next === null ? undefined : new Date(next).toISOString(),
    });
  }
}

/** What a run says about when the next one is of use. */
export function endOf({ outcome, notBefore }: RunReport): RunEnd {
  if (outcome === "paused") return { kind: "paused" };
  if (outcome === "refused") return { kind: "failed" };
  const waitMs = notBefore === undefined ? 0 : Math.max(0, Date.parse(notBefore) - Date.now());
  return outcome === "unreachable" || waitMs > 0
    ? { kind: "unreachable", waitMs }
    : { kind: "done" };
}

/** Tells two listeners the same. */
function both(one: RunEvents, other: RunEvents): RunEvents {
  return {
    onWait: pair(one.onWait, other.onWait),
    onFirstContact: pair(one.onFirstContact, other.onFirstContact),
    onPlan: pair(one.onPlan, other.onPlan),
    onBytes: pair(one.onBytes, other.onBytes),
    onRetry: pair(one.onRetry, other.onRetry),
    onSession: pair(one.onSession, other.onSession),
  };
}

type Listener<Args extends unknown[]> = (...args: Args) => void;

function pair<Args extends unknown[]>(
  one: Listener<Args> | undefined,
  other: Listener<Args> | undefined,
): Listener<Args> {
  return (...args) => {
    one?.(...args);
    other?.(...args);
  };
}
