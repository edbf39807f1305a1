import { formatConfigProblem, MINIMAL_CONFIG, readConfig } from "../config/config.ts";
import { plain } from "../shared/text.ts";
import type { GatewayContext } from "./context.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { ServiceRuns } from "./service-run.ts";

/**
 * Starts uploading on the interval and soon after changes, or says what is wrong with the config
 * and leaves uploads off. Never throws: the Gateway must not suffer from a bad config.
 */
export function startUploads(context: GatewayContext, pluginConfig: unknown): Scheduler {
  const { logger } = context;
  const result = readConfig(pluginConfig);
  if (!result.ok) {
    for (const problem of result.problems) {
      logger.warn(`influxion: uploads are off; ${plain(formatConfigProblem(problem))}`);
    }
    logger.warn(`influxion: the minimal setup in openclaw.json is\n${MINIMAL_CONFIG}`);
    return createScheduler({ everyMs: 0, run: neverRuns, now: Date.now, random: Math.random });
  }
  const { everyMs, upload } = result.config;
  if (everyMs === 0) {
    logger.info('influxion: upload.every is "0"; uploads only with "openclaw influxion sync"');
  }
  const runs = new ServiceRuns(context, result.config);
  return createScheduler({
    everyMs,
    onChange: upload.onChange,
    run: (scheduled) => runs.run(scheduled),
    now: Date.now,
    random: Math.random,
  });
}

const neverRuns = (): Promise<{ kind: "failed" }> => Promise.resolve({ kind: "failed" });
