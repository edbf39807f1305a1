import { createHash } from "node:crypto";
import type { Config } from "../config/config.ts";
import type { HostLayout } from "../stores/layout.ts";

/**
 * Tells whether two processes upload the same to the same place, without either showing its config.
 * @param knowsKey whether the config holds the key itself; a command may know no more of it than a reference
 */
export function configDigest(config: Config, layout: HostLayout, knowsKey: boolean): string {
  const apiKey = knowsKey ? config.apiKey : "by reference";
  return createHash("sha256")
    .update("influxion config\0")
    .update(JSON.stringify([{ ...config, apiKey }, layout]))
    .digest("hex");
}
