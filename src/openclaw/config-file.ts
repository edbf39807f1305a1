import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { asObject, isObject } from "../shared/json.ts";
import { InfluxionError } from "../shared/problem.ts";

/** The host's own way to change its config: comments aside, includes and `${NAME}` stay as they are written. */
type HostConfigFile = Pick<OpenClawPluginApi["runtime"]["config"], "mutateConfigFile">;

/** Changes the plugin's options in the host's config, and gives back the file's path. */
export type WriteOptions = (change: (options: unknown) => unknown) => Promise<string>;

/**
 * Null where the host offers no way to do it.
 * @throws {InfluxionError} `CONFIG_NOT_WRITTEN`, from what is given back: nothing was changed
 */
export function configWriter(config: Partial<HostConfigFile> | undefined): WriteOptions | null {
  const mutate = config?.mutateConfigFile;
  if (typeof mutate !== "function") return null;
  return async (change) => {
    try {
      const { path } = await mutate({
        base: "source",
        afterWrite: { mode: "auto" },
        mutate: (draft) => editEntry(draft as Record<string, unknown>, change),
      });
      return path;
    } catch (error) {
      const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
      const message = `OpenClaw did not write its config: ${why}`;
      throw new InfluxionError("CONFIG_NOT_WRITTEN", message, { cause: error });
    }
  };
}

/** In place, as the host wants it. */
function editEntry(draft: Record<string, unknown>, change: (options: unknown) => unknown): void {
  const plugins = groupOf(draft, "plugins");
  const entry = groupOf(groupOf(plugins, "entries"), "influxion");
  entry.enabled = true;
  entry.config = change(asObject(entry).config);
}

function groupOf(parent: Record<string, unknown>, name: string): Record<string, unknown> {
  const found = parent[name];
  const group = isObject(found) ? found : {};
  parent[name] = group;
  return group;
}
