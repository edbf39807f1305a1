import { type ConfigProblem, formatConfigProblem, readConfig } from "../config/config.ts";
import { plain } from "../shared/text.ts";
import type { GatewayContext } from "./context.ts";
import { UploadService, type Uploads } from "./uploads.ts";

/**
 * What uploads on the interval and soon after changes; or says what is wrong with the config and
 * leaves uploads off. Never throws: the Gateway must not suffer from a bad config.
 */
export function startUploads(context: GatewayContext, pluginConfig: unknown): Uploads {
  const { logger } = context;
  const result = readConfig(pluginConfig);
  for (const { message } of result.warnings) logger.warn(`influxion: ${plain(message)}`);
  if (!result.ok) {
    for (const line of describeOff(result.problems)) logger.warn(`influxion: ${plain(line)}`);
    return OFF;
  }
  if (result.config.everyMs === 0) {
    logger.info('influxion: upload.every is "0"; uploads only with "openclaw influxion sync"');
  }
  return new UploadService(context, result.config);
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

const off = (): Promise<never> => Promise.reject(new Error("uploads are off"));

const OFF: Uploads = {
  start: () => undefined,
  changed: () => undefined,
  status: off,
  sync: off,
  stop: () => Promise.resolve(),
};
