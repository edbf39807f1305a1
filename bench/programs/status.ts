/** `openclaw influxion status` without the host: all of the plugin's own code that a process runs for it. */

import { builtUrl } from "../lib/built.ts";
import { programInput, programResult } from "../lib/child.ts";

export interface StatusInput {
  readonly stateDir: string;
  readonly apiUrl: string;
}

export interface StatusResult {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** What it printed. */
  readonly text: string;
}

type Action = (flags: object) => Promise<void>;
type Plugin = typeof import("../../src/index.ts")["default"];
type Api = Parameters<Plugin["register"]>[0];

/** As much of commander as the plugin calls. */
class Command {
  readonly #actions: Map<string, Action>;
  readonly #name: string;

  constructor(actions: Map<string, Action>, name = "") {
    this.#actions = actions;
    this.#name = name;
  }
  command = (name: string): Command => new Command(this.#actions, name);
  description = (): this => this;
  option = (): this => this;
  addHelpText = (): this => this;
  action(action: Action): this {
    this.#actions.set(this.#name, action);
    return this;
  }
}

const { stateDir, apiUrl } = programInput<StatusInput>();
let text = "";
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk: string | Uint8Array): boolean => {
  text += String(chunk);
  return true;
};
const start = performance.now();
const cpu = process.cpuUsage();
const { default: plugin } = (await import(builtUrl("index"))) as { default: Plugin };
let commands: Promise<unknown> | undefined;
const actions = new Map<string, Action>();
plugin.register({
  registrationMode: "cli-metadata",
  pluginConfig: {
    apiKey: "bench",
    deploymentId: "bench-deployment",
    projectId: "bench-project",
    apiUrl,
  },
  runtime: { state: { resolveStateDir: () => stateDir } },
  registerCli: (register: (context: object) => Promise<unknown>) => {
    commands = register({ program: new Command(actions), config: {} });
  },
} as unknown as Api);
await commands;
await actions.get("status")?.({});
const wallMs = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write = write;
programResult({ wallMs, cpuMs: (user + system) / 1000, text } satisfies StatusResult);
