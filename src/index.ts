import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { Changes } from "./openclaw/changes.ts";
import { registerMethods } from "./openclaw/methods.ts";
import type { Recorder } from "./openclaw/record-run.ts";
import type { Uploads } from "./openclaw/uploads.ts";
import { registerPage } from "./page/register.ts";

type Registration = Parameters<OpenClawPluginApi["registerService"]>[0];

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
          configFile: () => api.runtime.config,
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
      const service = new Service(api);
      api.registerService(service.registration);
      registerMethods(api, () => service.uploads);
      registerPage(api);
    }
  },
};

/** Starts and stops uploads with the Gateway. */
class Service {
  readonly registration: Registration;
  /** Those that run now; null while there are none. */
  uploads: Promise<Uploads | null> = Promise.resolve(null);

  constructor(api: OpenClawPluginApi) {
    const changes = new Changes(api);
    this.registration = {
      id: "influxion",
      start: (context) => {
        // Not awaited: the Gateway is not ready before `start` returns.
        this.uploads = import("./openclaw/gateway.ts").then(({ startUploads }) => {
          const uploads = startUploads({ ...context, record: recorderOf(api) }, api.pluginConfig);
          uploads.start();
          changes.listen(() => uploads.changed());
          return uploads;
        });
        this.uploads.catch((error: unknown) => {
          context.logger.error(`influxion: could not start: ${String(error)}`);
        });
      },
      stop: async () => {
        const uploads = await this.uploads.catch(() => null);
        this.uploads = Promise.resolve(null);
        changes.stop();
        await uploads?.stop();
      },
    };
  }
}

/** A service's own logger takes sentences only. Whatever the host's does, a run is not to fail for a line in a log. */
function recorderOf(api: OpenClawPluginApi): Recorder | undefined {
  try {
    const logger = api.runtime.logging.getChildLogger({ plugin: "influxion" });
    if (typeof logger?.info !== "function") return undefined;
    return (message, fields) => {
      try {
        logger.info(message, fields);
      } catch {
        // The sentence is in the log already.
      }
    };
  } catch {
    return undefined;
  }
}
