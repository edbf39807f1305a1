import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Gateway, gatewayOf } from "./openclaw-gateway.ts";
import type { OpenClawHost } from "./openclaw-host.ts";
import {
  type CliResult,
  finish,
  type HostProcess,
  hostEnvironment,
  spawnHost,
  terminate,
} from "./openclaw-process.ts";
import { startInTerminal, type Terminal } from "./terminal.ts";

/** What the tests touch of `openclaw.json`. */
export interface OpenClawConfig {
  gateway: { port: number };
  plugins: { entries?: Record<string, { enabled?: boolean; config?: unknown }> };
}

export interface OpenClawOptions {
  readonly host: OpenClawHost;
  /** Where the agents find their model, see {@link startStubModel}. */
  readonly modelUrl?: string;
  /** @default the agent `main` alone */
  readonly agentIds?: readonly string[];
  /** The config's `session`. */
  readonly session?: object;
  /** Whether the Gateway serves its Control UI. @default false */
  readonly controlUi?: boolean;
  /** Added to the environment of every command and Gateway. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An OpenClaw with a home, a state directory and a config of its own, all in one temporary folder. */
export interface OpenClaw extends AsyncDisposable {
  readonly dir: string;
  readonly stateDir: string;
  /** Starts `openclaw <args>`. */
  start(...args: string[]): HostProcess;
  /** Runs `openclaw <args>`; a command that hangs is ended and has no exit code. */
  run(...args: string[]): Promise<CliResult>;
  /** {@link run} with more in its environment. */
  runWith(env: Readonly<Record<string, string>>, ...args: string[]): Promise<CliResult>;
  /** Starts `openclaw <args>` on a terminal, for what asks there. */
  startInTerminal(...args: string[]): Terminal;
  /** Runs a script of ours, with the path of the host before its arguments, where a command would run. */
  script(path: string, ...args: string[]): Promise<CliResult>;
  /** Installs the packed plugin, as a script would. */
  install(tarball: string): Promise<CliResult>;
  /** Writes `plugins.entries.influxion.config`; a running Gateway reloads it automatically. */
  configurePlugin(config: unknown): Promise<void>;
  startGateway(): Promise<Gateway>;
  /** Starts one more on the same config and state, as a second login or a forgotten service does. */
  startSecondGateway(): Promise<Gateway>;
  /** From now on commands and Gateways are those of this OpenClaw, on the same state and config. */
  upgrade(host: OpenClawHost): void;
  /** Ends everything that still runs and removes the folder. */
  close(): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 120_000;

export async function createOpenClaw(options: OpenClawOptions): Promise<OpenClaw> {
  let { host } = options;
  const dir = await mkdtemp(join(tmpdir(), "influxion-openclaw-"));
  const stateDir = join(dir, "state");
  const configFile = join(stateDir, "openclaw.json");
  const home = join(dir, "home");
  await Promise.all([mkdir(stateDir), mkdir(home)]);
  const token = randomUUID();
  const env = hostEnvironment({
    HOME: home,
    USERPROFILE: home,
    OPENCLAW_STATE_DIR: stateDir,
    OPENCLAW_CONFIG_PATH: configFile,
    ...options.env,
  });
  await writeFile(configFile, JSON.stringify(initialConfig(options, dir, token), null, 2));

  const configure = async (change: (config: OpenClawConfig) => void): Promise<void> => {
    const config = JSON.parse(await readFile(configFile, "utf8")) as OpenClawConfig;
    change(config);
    await writeFile(configFile, JSON.stringify(config, null, 2));
  };
  const running = new Set<HostProcess>();
  const spawn = (entry: string, args: readonly string[], more = {}): HostProcess => {
    const child = spawnHost({ ...host, entry }, args, { ...env, ...more }, dir);
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  };
  const start = (...args: string[]): HostProcess => spawn(host.entry, args);
  const run = (...args: string[]): Promise<CliResult> => finish(start(...args), COMMAND_TIMEOUT_MS);

  const close = async (): Promise<void> => {
    await Promise.all([...running].map((child) => terminate(child)));
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    dir,
    stateDir,
    start,
    run,
    runWith: (more, ...args) => finish(spawn(host.entry, args, more), COMMAND_TIMEOUT_MS),
    startInTerminal: (...args) =>
      startInTerminal(process.execPath, [host.entry, ...args], { env, cwd: dir }),
    script: (path, ...args) => finish(spawn(path, [host.entry, ...args]), COMMAND_TIMEOUT_MS),
    install: (tarball) => run(...installCommand(host, tarball)),
    configurePlugin: (config) =>
      configure(({ plugins }) => {
        plugins.entries = { ...plugins.entries, influxion: { enabled: true, config } };
      }),
    async startGateway() {
      const port = await freePort();
      await configure((config) => {
        config.gateway.port = port;
      });
      return gatewayOf(start("gateway", "run"), { port, token });
    },
    async startSecondGateway() {
      // Its port is not written down, or the one that runs would move there.
      const port = await freePort();
      return gatewayOf(start("gateway", "run", "--port", String(port)), { port, token });
    },
    upgrade(newer) {
      host = newer;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** With the flags that answer what `plugins install` would ask. */
function installCommand({ version }: OpenClawHost, tarball: string): string[] {
  const consent = jsonlGeneration(version) ? [] : ["--accept-capabilities"];
  return ["plugins", "install", tarball, "--force", ...consent];
}

/** The maintenance line that keeps transcripts as JSONL; its config differs in places. */
function jsonlGeneration(version: string): boolean {
  return version.startsWith("2026.7.");
}

/** Bound to loopback, nothing fetched from the internet, no model but ours. */
function initialConfig(options: OpenClawOptions, dir: string, token: string): object {
  const { host, modelUrl, agentIds, session, controlUi = false } = options;
  return {
    gateway: {
      mode: "local",
      bind: "loopback",
      auth: { mode: "token", token },
      controlUi: { enabled: controlUi },
      http: { endpoints: { chatCompletions: { enabled: true } } },
    },
    logging: { file: join(dir, "openclaw.log") },
    ...(session === undefined ? {} : { session }),
    update: { checkOnStart: false },
    plugins: { slots: { memory: "none" } },
    agents: {
      defaults: {
        skipBootstrap: true,
        heartbeat: { every: "0m" },
        workspace: join(dir, "workspace"),
        ...(modelUrl === undefined ? {} : { model: { primary: "stub/stub-1" } }),
        // With several agents the newer hosts want to know whose plugins count.
        ...(agentIds === undefined || jsonlGeneration(host.version)
          ? {}
          : { systemAgent: { agentId: agentIds[0] } }),
      },
      ...(agentIds === undefined ? {} : agentsOf(host, agentIds)),
    },
    models: {
      mode: "replace",
      ...(jsonlGeneration(host.version)
        ? { pricing: { enabled: false } }
        : { catalogRefresh: { enabled: false } }),
      providers: modelUrl === undefined ? {} : { stub: stubProvider(modelUrl) },
    },
  };
}

function agentsOf({ version }: OpenClawHost, ids: readonly string[]): object {
  if (jsonlGeneration(version)) return { list: ids.map((id, i) => ({ id, default: i === 0 })) };
  return { ownership: "explicit", entries: Object.fromEntries(ids.map((id) => [id, {}])) };
}

function stubProvider(baseUrl: string): object {
  return {
    baseUrl,
    apiKey: "stub",
    api: "openai-completions",
    models: [
      {
        id: "stub-1",
        name: "Stub",
        reasoning: false,
        input: ["text"],
        contextWindow: 128_000,
        maxTokens: 4096,
        cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      },
    ],
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
