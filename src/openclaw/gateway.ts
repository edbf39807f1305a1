import { setImmediate } from "node:timers/promises";
import { type ConfigProblem, formatConfigProblem, readConfig } from "../config/config.ts";
import { describeFirstContact } from "../run/first-contact.ts";
import type { IdleCache } from "../run/idle-cache.ts";
import { noteRun, type RunNote } from "../run/last-run.ts";
import { formatNote, isLogged, type RunReport, troubleKey } from "../run/report.ts";
import { asInfluxionError, LockedError, type Problem } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { readLayout } from "../stores/layout.ts";
import { type HostConfig, hostProxyOf, resolveSecrets } from "./host.ts";
import { describeRun } from "./log-line.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";

/** Sessions of one kind that a run names in the log. */
const MAX_LOGGED = 5;

/** What the Gateway gives a service; the health report exists on newer hosts only. */
export interface GatewayContext {
  readonly stateDir: string;
  readonly config: HostConfig;
  readonly logger: { info(line: string): void; warn(line: string): void };
  readonly serviceHealth?: {
    reportFailure(error: unknown): void;
    clearFailure(): void;
  };
}

/**
 * Starts uploading on the interval, or says what is wrong with the config and
 * leaves uploads off. Never throws: the Gateway must not suffer from a bad config.
 */
export function startUploads(context: GatewayContext, pluginConfig: unknown): Scheduler {
  const { stateDir, logger, serviceHealth } = context;
  const result = readConfig(pluginConfig);
  for (const { message } of result.warnings) logger.warn(`influxion: ${plain(message)}`);
  if (!result.ok) {
    for (const line of describeOff(result.problems)) logger.warn(`influxion: ${plain(line)}`);
    return { start: () => undefined, stop: () => Promise.resolve() };
  }
  const { config } = result;
  if (config.everyMs === 0) {
    logger.info('influxion: upload.every is "0"; uploads only with "openclaw influxion sync"');
  }
  let runs: IdleCache | undefined;
  const reported = new Reported();
  let isIntroduced = false;
  return createScheduler({
    everyMs: config.everyMs,
    now: Date.now,
    random: Math.random,
    async run(signal, nextAt) {
      const startedAt = new Date().toISOString();
      let note: Pick<RunNote, "report" | "failure" | "attempt">;
      try {
        runs ??= await createRuns();
        const report = await runs.run({
          stateDir,
          layout: readLayout(context.config),
          config,
          ...(await resolveSecrets(config, context.config)),
          proxy: hostProxyOf(context.config),
          trigger: "interval",
          lockWaitMs: 0,
          signal,
          now: Date.now,
          random: Math.random,
          events: {
            onFirstContact(contact) {
              if (!isIntroduced) logger.info(`influxion: ${plain(describeFirstContact(contact))}`);
              isIntroduced = true;
            },
          },
        });
        tell(context, report, reported);
        note = { report, failure: null };
      } catch (error) {
        if (signal.aborted) return;
        // The host's log and its health page are looked at in terminals, too.
        const failure = plain(asInfluxionError(error).message);
        const locked = error instanceof LockedError;
        logger[locked ? "info" : "warn"](`influxion: no upload this time: ${failure}`);
        if (!locked) serviceHealth?.reportFailure(new Error(failure));
        const outcome = locked ? "locked" : "failed";
        note = { report: null, failure, attempt: { startedAt, trigger: "interval", outcome } };
      }
      const at = Date.now();
      const next = new Date(nextAt(at)).toISOString();
      await noteRun(stateDir, { ...note, at: new Date(at).toISOString(), nextAt: next });
    },
  });
}

/** What is missing on one line, with the command that asks for it; what is wrong on a line each. */
function describeOff(problems: readonly ConfigProblem[]): string[] {
  const missing = problems.filter(({ found }) => found === "nothing").map(({ path }) => path);
  const wrong = problems.filter(({ found }) => found !== "nothing");
  const lines = wrong.map((problem) => `uploads are off; ${formatConfigProblem(problem)}`);
  if (missing.length === 0) return lines;
  const line = `uploads are off; not set: ${missing.join(", ")}; "openclaw influxion setup" asks for what is missing`;
  return [...lines, line];
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

/** What is in the Gateway's log already: the same trouble is reported once for as long as each run meets it. */
class Reported {
  #last: ReadonlySet<string> = new Set();

  fresh(problems: readonly Problem[]): readonly Problem[] {
    const before = this.#last;
    this.#last = new Set(problems.map(troubleKey));
    return problems.filter((problem) => !before.has(troubleKey(problem)));
  }
}

function tell(
  { logger, serviceHealth }: GatewayContext,
  report: RunReport,
  reported: Reported,
): void {
  const { outcome } = report;
  const described = describeRun(report);
  const line = described === null ? null : plain(described);
  if (line !== null) logger[outcome === "done" ? "info" : "warn"](`influxion: ${line}`);
  for (const note of report.failures.slice(0, MAX_LOGGED)) {
    logger.warn(`influxion: failing: ${formatNote(note)}`);
  }
  const met = reported.fresh(report.problems.filter(isLogged));
  for (const { agentId = "", sessionId = "", message } of met.slice(0, MAX_LOGGED)) {
    logger.warn(`influxion: ${formatNote({ agentId, sessionId, reason: message })}`);
  }
  if (met.length > MAX_LOGGED) {
    const more = met.length - MAX_LOGGED;
    logger.warn(`influxion: and ${more} more of these; see "openclaw influxion status"`);
  }
  if (outcome === "done") serviceHealth?.clearFailure();
  else serviceHealth?.reportFailure(new Error(line ?? outcome));
}
