import { setImmediate } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import { describeFirstContact } from "../run/first-contact.ts";
import type { IdleCache } from "../run/idle-cache.ts";
import { noteRun } from "../run/last-run.ts";
import { describePause, readPause } from "../run/pause.ts";
import type { RunReport } from "../run/report.ts";
import { asInfluxionError, LockedError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { readLayout } from "../stores/layout.ts";
import type { GatewayContext } from "./context.ts";
import { hostProxyOf, resolveSecrets } from "./host.ts";
import { fieldsOfFailure } from "./record-run.ts";
import type { ScheduledRun } from "./scheduler.ts";
import { Reported, tellRun } from "./tell-run.ts";
import type { RunEnd } from "./timetable.ts";

/** The runs of the service, one after the other. */
export class ServiceRuns {
  readonly #context: GatewayContext;
  readonly #config: Config;
  readonly #reported = new Reported();
  #runs: IdleCache | undefined;
  #isIntroduced = false;
  #pauseTold: string | null = null;

  constructor(context: GatewayContext, config: Config) {
    this.#context = context;
    this.#config = config;
  }

  /** One run: done, told in the log and noted for `status`. Never throws. */
  async run(scheduled: ScheduledRun): Promise<RunEnd> {
    const startedAt = Date.now();
    if (await this.#isPaused(startedAt)) return { kind: "paused" };
    try {
      const report = await this.#upload(scheduled);
      tellRun(this.#context, report, this.#reported);
      await this.#note(scheduled, report, null);
      return endOf(report);
    } catch (error) {
      if (scheduled.signal.aborted) return { kind: "failed" };
      return await this.#failed(scheduled, error, Date.now() - startedAt);
    }
  }

  /** Whether nothing may be sent now, which is told once. */
  async #isPaused(now: number): Promise<boolean> {
    const { stateDir, logger } = this.#context;
    const paused = await readPause(stateDir, now);
    const reason = paused === null ? null : plain(describePause(stateDir, paused));
    if (reason !== null && reason !== this.#pauseTold) logger.info(`influxion: ${reason}`);
    this.#pauseTold = reason;
    return reason !== null;
  }

  async #upload({ signal, trigger }: ScheduledRun): Promise<RunReport> {
    const { stateDir, config: hostConfig, logger } = this.#context;
    this.#runs ??= await createRuns();
    return await this.#runs.run({
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
      events: {
        onFirstContact: (contact) => {
          if (!this.#isIntroduced) {
            logger.info(`influxion: ${plain(describeFirstContact(contact))}`);
          }
          this.#isIntroduced = true;
        },
      },
    });
  }

  async #failed(scheduled: ScheduledRun, error: unknown, durationMs: number): Promise<RunEnd> {
    const { logger, serviceHealth, record } = this.#context;
    const known = asInfluxionError(error);
    const isLocked = known instanceof LockedError;
    // Whoever uploads notes its own run; a change comes again, and need not be mentioned each time.
    if (isLocked && scheduled.trigger === "change") return { kind: "incomplete" };
    // The host's log and its health page are looked at in terminals, too.
    const failure = plain(known.message);
    logger[isLocked ? "info" : "warn"](`influxion: no upload this time: ${failure}`);
    if (!isLocked) {
      record?.("influxion: run", fieldsOfFailure(known, scheduled.trigger, durationMs));
      serviceHealth?.reportFailure(new Error(failure));
    }
    await this.#note(scheduled, null, failure);
    return { kind: isLocked ? "incomplete" : "failed" };
  }

  async #note(
    { nextAt }: ScheduledRun,
    report: RunReport | null,
    failure: string | null,
  ): Promise<void> {
    const at = Date.now();
    const next = new Date(nextAt(at)).toISOString();
    const note = { report, failure, at: new Date(at).toISOString(), nextAt: next };
    await noteRun(this.#context.stateDir, note);
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

/**
 * Loaded with the first run: a Gateway that starts does not wait for it. In pieces, since each of
 * them blocks the event loop for some ms; and a thread only when there is something to do.
 */
export async function createRuns(): Promise<IdleCache> {
  await import("../config/filter.ts");
  await setImmediate();
  await import("../stores/places.ts");
  await setImmediate();
  await import("../stores/jsonl/list.ts");
  await setImmediate();
  const { IdleCache } = await import("../run/idle-cache.ts");
  return new IdleCache(async (options) => {
    const { runInWorker } = await import("../run/worker-runner.ts");
    await setImmediate();
    return await runInWorker(options);
  });
}
