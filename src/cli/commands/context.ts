import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { LocalConfig } from "../../config/config.ts";
import type { configWriter } from "../../openclaw/config-file.ts";
import type { HostConfig } from "../../openclaw/host.ts";
import type { Setup } from "../command-input.ts";
import type { Terminal } from "../terminal.ts";

export type Program = Parameters<Parameters<OpenClawPluginApi["registerCli"]>[0]>[0]["program"];
export type Command = ReturnType<Program["command"]>;

export interface CommandContext {
  readonly hostConfig: HostConfig;
  readonly pluginConfig: () => unknown;
  /** The host's state directory; ask only inside of a command. */
  readonly stateDir: () => string;
  /** The host's own means to change its config; ask only inside of a command. */
  readonly configFile: () => Parameters<typeof configWriter>[0];
}

/** Adds one command below `openclaw influxion`; what it needs is loaded when it is called. */
export type AddCommand = (influxion: Command, context: CommandContext) => void;

export const TERMINAL: Terminal = { out: process.stdout, err: process.stderr };

export async function setupOf({
  stateDir,
  hostConfig,
  pluginConfig,
}: CommandContext): Promise<Setup> {
  const [{ readConfig }, { readLayout }] = await Promise.all([
    import("../../config/config.ts"),
    import("../../stores/layout.ts"),
  ]);
  return {
    stateDir: stateDir(),
    layout: readLayout(hostConfig),
    config: readConfig(pluginConfig()),
  };
}

/** For commands that work before the plugin is configured. */
export async function localSetupOf(
  context: CommandContext,
): Promise<Setup & Pick<LocalConfig, "missing">> {
  const { readLocalConfig } = await import("../../config/config.ts");
  return { ...(await setupOf(context)), ...readLocalConfig(context.pluginConfig()) };
}
