import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { Uploads } from "./uploads.ts";

type Handler = Parameters<OpenClawPluginApi["registerGatewayMethod"]>[1];
type Respond = Parameters<Handler>[0]["respond"];

/** Gives the service, once it has been started; null while uploads are off. */
export type UploadsOf = () => Promise<Uploads | null>;

/**
 * Lets commands and other clients of the Gateway ask the running service. What they ask for
 * is checked by the service; hosts without methods go without.
 */
export function registerMethods(api: OpenClawPluginApi, uploads: UploadsOf): void {
  const register = (name: string, scope: "operator.read" | "operator.write", ask: Ask): void => {
    try {
      api.registerGatewayMethod(
        name,
        ({ params, respond }) => answering(respond, uploads, (service) => ask(service, params)),
        { scope },
      );
    } catch {
      // The commands do without, too.
    }
  };
  register("influxion.status", "operator.read", (service, params) => service.status(params));
  register("influxion.sync", "operator.write", (service, params) => service.sync(params));
}

type Ask = (service: Uploads, params: unknown) => unknown;

async function answering(
  respond: Respond,
  uploads: UploadsOf,
  ask: (service: Uploads) => unknown,
): Promise<void> {
  try {
    const service = await uploads();
    if (service === null) throw new Error("uploads are off");
    respond(true, await ask(service));
  } catch (error) {
    // Only sentences of the service get here: what is asked for is refused or there is no service.
    const message = error instanceof Error ? error.message : "it could not be answered";
    respond(false, undefined, { code: "INVALID_REQUEST", message: `influxion: ${message}` });
  }
}
