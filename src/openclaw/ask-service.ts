import { readService } from "../run/service-file.ts";
import { isObject } from "../shared/json.ts";
import { VERSION } from "../shared/version.ts";
import { type AskOptions, askGateway } from "./ask-gateway.ts";
import type { ServiceStatus } from "./uploads.ts";

/** How long `status` waits for the Gateway, in ms; what it says besides is in the files. */
const STATUS_MS = 2000;

/** Asks the Gateway; another one is for tests. See {@link askGateway}. */
export type Ask = (method: string, params: object, options: AskOptions) => Promise<unknown>;

/** The id of the service of this state directory, if it runs this version; null where there is no use in asking. */
export async function serviceId(stateDir: string): Promise<string | null> {
  const service = await readService(stateDir);
  return service?.version === VERSION ? service.id : null;
}

/** What the running service of this state directory says of itself, or null. */
export async function askStatus(
  stateDir: string,
  ask: Ask = askGateway,
): Promise<ServiceStatus | null> {
  const service = await serviceId(stateDir);
  if (service === null) return null;
  const answer = await ask("influxion.status", { service }, { timeoutMs: STATUS_MS });
  return isObject(answer) && answer.version === VERSION
    ? (answer as unknown as ServiceStatus)
    : null;
}
