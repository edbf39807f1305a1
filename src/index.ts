import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { Changes } from "./openclaw/changes.ts";
import type { Recorder } from "./openclaw/record-run.ts";
import type { Scheduler } from "./openclaw/scheduler.ts";

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
      api.registerService(createService(api, new Changes(api)));
    }
  },
};

function createService(api: OpenClawPluginApi, changes: Changes): Service {
  let uploads: Promise<Scheduler> | undefined;
  return {
    id: "influxion",
    start(context) {
      // Not awaited: the Gateway is not ready before `start` returns.
      uploads = import("./openclaw/gateway.ts").then(({ startUploads }) => {
        const scheduler = startUploads({ ...context, record: recorderOf(api) }, api.pluginConfig);
        scheduler.start();
        changes.listen(() => scheduler.changed());
        return scheduler;
      });
      uploads.catch((error: unknown) => {
        context.logger.error(`influxion: could not start: ${String(error)}`);
      });
    },
    async stop() {
      const scheduler = await uploads?.catch(() => undefined);
      changes.stop();
      await scheduler?.stop();
    },
  };
}

/** A service's own logger takes sentences only. */
function recorderOf(api: OpenClawPluginApi): Recorder | undefined {
  try {
    const logger = api.runtime.logging.getChildLogger({ plugin: "influxion" });
    return (message, fields) => logger.info(message, fields);
  } catch {
    return undefined;
  }
}
