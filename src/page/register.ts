import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { PageThread } from "./thread.ts";

/** A host that has less than today's: what is not there is left out. */
type Host = Partial<
  Pick<
    OpenClawPluginApi,
    | "session"
    | "registerHttpRoute"
    | "registerSecurityAuditCollector"
    | "registerBoardWidgetContentKind"
  >
>;

type Tab = Parameters<OpenClawPluginApi["session"]["controls"]["registerControlUiDescriptor"]>[0];

const TAB: Tab = {
  surface: "tab",
  id: "uploads",
  label: "Influxion",
  description: "What of your agents' sessions was uploaded, and what is waiting.",
  icon: "outbox",
  group: "control",
  slug: "influxion",
  path: "/plugins/influxion/overview",
  requiredScopes: ["operator.read"],
};

/**
 * The tab in the Control UI, the route behind it and behind the metrics, and what the host's
 * security audit is told. Only registers: the code is loaded by the first request.
 */
export function registerPage(api: OpenClawPluginApi): void {
  const host: Host = api;
  host.registerHttpRoute?.({
    path: "/plugins/influxion",
    auth: "gateway",
    match: "prefix",
    handler: createHandler(api),
  });
  // 2026.7 has tabs as well, but does not let their frames into a route that it has to authenticate:
  // that came with the widgets.
  if (host.registerBoardWidgetContentKind !== undefined) {
    host.session?.controls?.registerControlUiDescriptor(TAB);
  }
  host.registerSecurityAuditCollector?.(async ({ config, stateDir }) => {
    const { auditFindings } = await import("./audit.ts");
    return await auditFindings(config, stateDir);
  });
}

type Handler = Parameters<OpenClawPluginApi["registerHttpRoute"]>[0]["handler"];

function createHandler(api: OpenClawPluginApi): Handler {
  let loaded: Promise<Handler> | undefined;
  return async (request, response) => {
    loaded ??= loadHandler(api);
    return await (await loaded)(request, response);
  };
}

/** With the config of this registration: the host registers anew when it changes. */
async function loadHandler(api: OpenClawPluginApi): Promise<Handler> {
  const [{ answerRequest }, { PageThread }, { readConfig }, { readLayout }] = await Promise.all([
    import("./routes.ts"),
    import("./thread.ts"),
    import("../config/config.ts"),
    import("../stores/layout.ts"),
  ]);
  const thread: PageThread = new PageThread();
  const options = {
    stateDir: api.runtime.state.resolveStateDir(),
    hostConfig: api.config,
    layout: readLayout(api.config),
    config: readConfig(api.pluginConfig),
    thread,
  };
  return (request, response) => answerRequest(request, response, options);
}
