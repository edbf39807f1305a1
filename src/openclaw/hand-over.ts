import { setTimeout as sleep } from "node:timers/promises";
import type { RunOptions } from "../run/options.ts";
import type { RunReport } from "../run/report.ts";
import { isObject } from "../shared/json.ts";
import { InfluxionError, LockedError } from "../shared/problem.ts";
import { DEFAULT_LAYOUT } from "../stores/layout.ts";
import { askGateway } from "./ask-gateway.ts";
import { type Ask, serviceId } from "./ask-service.ts";
import { configDigest } from "./config-digest.ts";
import type { HandedNews } from "./handed-run.ts";

/** How long one answer is waited for, in ms. The Gateway may be busy with turns. */
const ANSWER_MS = 15_000;

/** From one question for what is new to the next, in ms. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** So often in a row an answer may fail to come before the run counts as lost. */
const MAX_MISSED = 3;

/** What a command wants of a run; the rest of it is the service's own. */
export type HandedOptions = Pick<
  RunOptions,
  | "stateDir"
  | "config"
  | "layout"
  | "all"
  | "agentId"
  | "ignorePause"
  | "only"
  | "retryBackedOff"
  | "events"
  | "signal"
>;

/**
 * Hands a run over to the service that runs in the Gateway, and follows it to its end. What
 * it does, and in which words it ends, is as if it had been done here.
 *
 * @returns the report; null when there is nobody to hand it over to, and nothing has begun
 * @throws {InfluxionError} what the run threw; `RUN_ENDED` when the Gateway does not answer any more
 * @throws the signal's reason, when the service has been told
 */
export async function handOver(
  options: HandedOptions,
  ask: Ask = askGateway,
): Promise<RunReport | null> {
  const { stateDir, config, layout = DEFAULT_LAYOUT, only, signal } = options;
  // One session is sent with other filters than those of the service.
  if (only !== undefined) return null;
  const service = await serviceId(stateDir);
  if (service === null) return null;
  const digest = configDigest(config, layout, typeof config.apiKey === "string");
  const started = await ask(
    "influxion.sync",
    {
      service,
      config: digest,
      all: options.all,
      agent: options.agentId,
      force: options.ignorePause,
      retryBackedOff: options.retryBackedOff,
    },
    { timeoutMs: ANSWER_MS },
  );
  if (!isObject(started) || typeof started.run !== "string") return null;
  const { run } = started;
  const cancel = (): void => {
    void ask("influxion.sync", { service, run, cancel: true }, { timeoutMs: ANSWER_MS });
  };
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    return await follow(options, () =>
      ask("influxion.sync", { service, run }, { timeoutMs: ANSWER_MS }),
    );
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Tells what is new until the run has ended. */
async function follow(
  { events, signal }: HandedOptions,
  ask: () => Promise<unknown>,
): Promise<RunReport> {
  for (let asked = 0, missed = 0; missed < MAX_MISSED; asked++) {
    // Not a question that waits for its answer: the host logs those as slow. An abort is told at once.
    await sleep(pauseMs(asked), undefined, { signal }).catch(() => sleep(FIRST_PAUSE_MS));
    const news = await ask();
    if (!isNews(news)) {
      signal.throwIfAborted();
      missed++;
      continue;
    }
    missed = 0;
    for (const { kind, args } of news.events) {
      (events?.[kind] as ((...args: unknown[]) => void) | undefined)?.(...args);
    }
    if (news.result === undefined) continue;
    if ("report" in news.result) return news.result.report;
    signal.throwIfAborted();
    const { code, message } = news.result.failure;
    throw code === "LOCKED" ? new LockedError(message) : new InfluxionError(code, message);
  }
  throw new InfluxionError(
    "RUN_ENDED",
    "the Gateway that was uploading does not answer any more; what was confirmed is recorded, and the next run goes on from there",
  );
}

/** A short run is over soon; what a long one does is shown once a second. */
const pauseMs = (asked: number): number => Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** asked);

function isNews(answer: unknown): answer is HandedNews {
  return isObject(answer) && Array.isArray(answer.events);
}
