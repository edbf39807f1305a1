import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { Scheduler } from "./openclaw/scheduler.ts";
import { registerPage } from "./page/register.ts";

type Service = Parameters<OpenClawPluginApi["registerService"]>[0];

/**
 * The plugin. Hosts call `register` several times in one process and in modes
 * that only ask what there is, so it registers and does nothing else; whatever
 * costs something is imported by the first use.
 */
export default {
  id: "influxion",
  name: "Influxion",
  description: "Uploads the transcripts of your agents' sessions to Influxion for evaluation.",
  register(api: OpenClawPluginApi): void {
    api.registerCli(
      async ({ program, config }) => {
        const { addCommands } = await import("./cli/add.ts");
        addCommands(program, {
          hostConfig: config,
          pluginConfig: () => api.pluginConfig,
          // The host has no runtime yet while it only collects the commands.
          stateDir: () => api.runtime.state.resolveStateDir(),
        });
      },
      {
        descriptors: [
          {
            name: "influxion",
            description: "Upload session transcripts to Influxion, and see what has been uploaded",
            hasSubcommands: true,
          },
        ],
      },
    );
    if (api.registrationMode !== "cli-metadata" && api.registrationMode !== "setup-only") {
      api.registerService(createService(() => api.pluginConfig));
      registerPage(api);
    }
  },
};

function createService(pluginConfig: () => unknown): Service {
  let uploads: Promise<Scheduler> | undefined;
  return {
    id: "influxion",
    start(context) {
      // Not awaited: the Gateway is not ready before `start` returns.
      uploads = import("./openclaw/gateway.ts").then(({ startUploads }) => {
        const scheduler = startUploads(context, pluginConfig());
        scheduler.start();
        return scheduler;
      });
      uploads.catch((error: unknown) => {
        context.logger.error(`influxion: could not start: ${String(error)}`);
      });
    },
    async stop() {
      const scheduler = await uploads?.catch(() => undefined);
      await scheduler?.stop();
    },
  };
}
