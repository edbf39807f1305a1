/**
 * A command of `openclaw influxion` without the host: all of the plugin's own code that a process runs for it. What of
 * Node every process of the host has loaded before is loaded before, too, so that it does not count as the plugin's.
 */
import "../lib/host-builtins.ts";
import { builtUrl } from "../lib/built.ts";
import { programInput, programResult } from "../lib/child.ts";

export interface CommandInput {
  readonly command: "status" | "sync";
  readonly stateDir: string;
  readonly apiUrl: string;
}

export interface CommandResult {
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

const { command, stateDir, apiUrl } = programInput<CommandInput>();
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
await actions.get(command)?.({});
const wallMs = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write = write;
programResult({ wallMs, cpuMs: (user + system) / 1000, text } satisfies CommandResult);
