/** The registered service in a process of its own, until it is killed. Takes its {@link ServeOptions} as JSON. */
import { built } from "./built.ts";

/** What the program is told. */
export interface ServeOptions {
  readonly stateDir: string;
  readonly pluginConfig: Record<string, unknown>;
  readonly hostConfig: Record<string, unknown>;
}

type Plugin = typeof import("../../src/index.ts")["default"];
type Api = Parameters<Plugin["register"]>[0];
type Service = Parameters<Api["registerService"]>[0];

const { stateDir, pluginConfig, hostConfig } = JSON.parse(process.argv[2] ?? "") as ServeOptions;
const { default: plugin } = await built<{ default: Plugin }>("index");
const log = (line: unknown): boolean => process.stdout.write(`${line}\n`);
plugin.register({
  pluginConfig,
  registrationMode: "full",
  registerCli: () => undefined,
  registerService: (service: Service) =>
    service.start({
      stateDir,
      config: hostConfig,
      logger: { info: log, warn: log, error: log, debug: log },
      serviceHealth: { reportFailure: log, clearFailure: () => undefined },
    } as unknown as Parameters<Service["start"]>[0]),
} as unknown as Api);
// What a host does meanwhile.
setInterval(() => undefined, 1000);
