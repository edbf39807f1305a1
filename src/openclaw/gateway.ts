import { formatConfigProblem, MINIMAL_CONFIG, readConfig } from "../config/config.ts";
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
  if (!result.ok) {
    for (const problem of result.problems) {
      logger.warn(`influxion: uploads are off; ${plain(formatConfigProblem(problem))}`);
    }
    logger.warn(`influxion: the minimal setup in openclaw.json is\n${MINIMAL_CONFIG}`);
    return OFF;
  }
  if (result.config.everyMs === 0) {
    logger.info('influxion: upload.every is "0"; uploads only with "openclaw influxion sync"');
  }
  return new UploadService(context, result.config);
}

const off = (): Promise<never> => Promise.reject(new Error("uploads are off"));

const OFF: Uploads = {
  start: () => undefined,
  changed: () => undefined,
  status: off,
  sync: off,
  stop: () => Promise.resolve(),
};
