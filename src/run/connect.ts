import { VERSION } from "../shared/version.ts";
import type { Client, ClientOptions } from "../upload/client.ts";
import type { RunOptions } from "./options.ts";

/**
 * A client for the API of a run's config. Loaded here: most runs have nothing to ask it.
 * @throws {InfluxionError} `PROXY_INVALID`, `TLS_INVALID`
 */
export async function connect(
  {
    config: { apiUrl, upload, tls },
    apiKey,
    proxy,
  }: Pick<RunOptions, "config" | "apiKey" | "proxy">,
  listeners: Pick<ClientOptions, "onSocket" | "onWarning"> = {},
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
    ...listeners,
  });
}
