import type { Problem } from "../shared/problem.ts";
import { VERSION } from "../shared/version.ts";
import type { Client } from "../upload/client.ts";
import type { RunOptions } from "./options.ts";

/**
 * A client for the API of a run's config. Loaded here: most runs have nothing to ask it.
 * @param onWarning notified of what is wrong with the files of `tls` and no obstacle
 * @throws {InfluxionError} `PROXY_INVALID`, `TLS_INVALID`
 */
export async function connect(
  {
    config: { apiUrl, upload, tls },
    apiKey,
    proxy,
  }: Pick<RunOptions, "config" | "apiKey" | "proxy">,
  onWarning?: (problem: Problem) => void,
): Promise<Client> {
  const { createClient } = await import("../upload/client.ts");
  const { timeoutMs } = upload;
  return await createClient({
    apiUrl,
    apiKey,
    timeoutMs,
    version: VERSION,
    proxy,
    tls,
    onWarning,
  });
}
