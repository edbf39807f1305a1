import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type CheckFlags, type CheckOptions, check } from "../../src/cli/check.ts";
import type { Setup } from "../../src/cli/command-input.ts";
import { type ForgetFlags, type ForgetOptions, forget } from "../../src/cli/forget.ts";
import { type HistoryFlags, history } from "../../src/cli/history.ts";
import { type PreviewFlags, type PreviewOptions, preview } from "../../src/cli/preview.ts";
import { type ScanFlags, scan } from "../../src/cli/scan.ts";
import { type SessionsFlags, sessions } from "../../src/cli/sessions.ts";
import { type StatusFlags, type StatusOptions, status } from "../../src/cli/status.ts";
import { type SyncFlags, type SyncOptions, sync } from "../../src/cli/sync.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import {
  type Config,
  type ConfigResult,
  readConfig,
  readLocalConfig,
} from "../../src/config/config.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { ledgerPaths } from "../../src/ledger/paths.ts";
import type { SessionRecord } from "../../src/ledger/records.ts";
import { startUploads } from "../../src/openclaw/gateway.ts";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { readLastRun } from "../../src/run/last-run.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { RunReport } from "../../src/run/report.ts";
import { run } from "../../src/run/run.ts";
import { readLayout } from "../../src/stores/layout.ts";
import { append, lines, session, sessionPath, write } from "./transcripts.ts";

/** A key with a shape that no other string in a test has, to look for where it must not be. */
export const API_KEY = "sk-sentinel-9f8e7d6c5b4a39281706";

export interface Spoken {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Those of a config that holds them itself. */
export const plainSecrets: SyncOptions["secrets"] = ({ apiKey }) =>
  Promise.resolve({ apiKey: apiKey as string, redactValues: [] });

const noGateway: CheckOptions["gateway"] = () =>
  Promise.resolve({ kind: "none", at: "127.0.0.1:1" });

/** A state directory and a receiver of their own, and a way to run the plugin between them. */
export class Lab implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), "influxion-lab-"));
  readonly stateDir = join(this.dir, "state");
  readonly receiver: Receiver;
  readonly #received: string;
  /** Added to the wall clock, in ms. */
  clockOffset = 0;
  /** The host's config. */
  hostConfig: Record<string, unknown> = {};

  private constructor(receiver: Receiver, received: string) {
    this.receiver = receiver;
    this.#received = received;
  }

  static async start(): Promise<Lab> {
    const dir = mkdtempSync(join(tmpdir(), "influxion-received-"));
    return new Lab(await startReceiver({ dir, key: API_KEY, port: 0 }), dir);
  }

  now = (): number => Date.now() + this.clockOffset;

  /** The config as a user writes it, for this lab's receiver unless `overrides` says otherwise. */
  config(overrides: Record<string, unknown> = {}): Config {
    const result = this.configResult(overrides);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result.config;
  }

  /** The same with what is wrong with it. */
  configResult(overrides: Record<string, unknown> = {}): ConfigResult {
    return readConfig({
      apiUrl: this.receiver.url,
      apiKey: API_KEY,
      deploymentId: "lab",
      projectId: "project",
      ...overrides,
      upload: { retryAttempts: 0, retryBackoffMs: 0, ...(overrides.upload as object) },
    });
  }

  /** Writes a whole session and returns its path. */
  session(agentId: string, sessionId: string, entries = session(sessionId)): string {
    return write(sessionPath(this.stateDir, agentId, `${sessionId}.jsonl`), lines(entries));
  }

  append(path: string, entries: readonly string[]): void {
    append(path, lines(entries));
  }

  /** A run as the service does it, for this lab's receiver unless `overrides` says otherwise. */
  options(overrides: Record<string, unknown> = {}, options: Partial<RunOptions> = {}): RunOptions {
    const config = this.config(overrides);
    return {
      stateDir: this.stateDir,
      layout: readLayout(this.hostConfig),
      config,
      ignoreHold: options.trigger === "command",
      retryBackedOff: options.trigger === "command",
      apiKey: config.apiKey as string,
      trigger: "interval",
      lockWaitMs: 0,
      signal: new AbortController().signal,
      now: this.now,
      random: Math.random,
      ...options,
    };
  }

  run(
    overrides: Record<string, unknown> = {},
    options: Partial<RunOptions> = {},
  ): Promise<RunReport> {
    return run(this.options(overrides, options));
  }

  #setup(overrides: Record<string, unknown> | undefined): Setup {
    const config = this.configResult(overrides);
    return { stateDir: this.stateDir, layout: readLayout(this.hostConfig), config };
  }

  async sync(
    options: SyncFlags &
      Partial<Pick<SyncOptions, "secrets" | "proxy" | "run" | "handOver">> & {
        signal?: AbortSignal;
        overrides?: Record<string, unknown>;
        /** See {@link preview}; for dry runs. */
        input?: unknown;
        /** Of a terminal; without them it is none. */
        columns?: number;
      } = {},
  ): Promise<Spoken> {
    const { overrides, input, columns, signal = new AbortController().signal, ...rest } = options;
    const { secrets = plainSecrets, proxy, ...others } = rest;
    const { run: runner = run, handOver, ...flags } = others;
    const local = input === undefined ? {} : readLocalConfig(input);
    return spoken(
      (terminal) =>
        sync({
          setup: { ...this.#setup(overrides), ...local },
          flags,
          context: { signal, now: this.now, random: Math.random },
          secrets,
          proxy,
          run: runner,
          handOver,
          terminal,
        }),
      columns,
    );
  }

  /** Yes to everything, unless `options` says otherwise. */
  async forget(
    options: ForgetFlags &
      Partial<Pick<ForgetOptions, "apiKey" | "ask">> & {
        signal?: AbortSignal;
        overrides?: Record<string, unknown>;
      } = {},
  ): Promise<Spoken> {
    const { overrides, signal = new AbortController().signal, ask = null, ...rest } = options;
    const { apiKey = (key) => Promise.resolve(key as string), ...flags } = rest;
    return spoken((terminal) =>
      forget({
        setup: this.#setup(overrides),
        flags: { yes: true, ...flags },
        context: { signal, now: this.now, random: Math.random },
        apiKey,
        ask,
        terminal,
      }),
    );
  }

  /** @param input the plugin's options as they stand in openclaw.json, instead of those of this lab */
  async preview(
    options: PreviewFlags &
      Partial<Pick<PreviewOptions, "secrets">> & {
        overrides?: Record<string, unknown>;
        input?: unknown;
        /** The output is a terminal. */
        isTTY?: boolean;
      } = {},
  ): Promise<Spoken> {
    const { overrides, input, isTTY = false, secrets = plainSecrets, ...flags } = options;
    const local = input === undefined ? { missing: [] } : readLocalConfig(input);
    const setup = { ...this.#setup(overrides), ...local };
    const context = { signal: new AbortController().signal, now: this.now };
    return spoken((terminal) => {
      const out = Object.assign(terminal.out, { isTTY });
      return preview({ setup, flags, context, secrets, terminal: { ...terminal, out } });
    });
  }

  /** @param input see {@link preview} */
  async scan(
    options: ScanFlags & { overrides?: Record<string, unknown>; input?: unknown } = {},
  ): Promise<Spoken> {
    const { overrides, input, ...flags } = options;
    const local = input === undefined ? { missing: [] } : readLocalConfig(input);
    const setup = { ...this.#setup(overrides), ...local };
    const context = { signal: new AbortController().signal, now: this.now };
    return spoken((terminal) => scan({ setup, flags, context, secrets: plainSecrets, terminal }));
  }

  /** Its Gateway is not running. @param input see {@link preview} */
  async check(
    options: CheckFlags &
      Partial<Pick<CheckOptions, "secrets" | "proxy" | "gateway">> & {
        overrides?: Record<string, unknown>;
        input?: unknown;
        signal?: AbortSignal;
        /** The output is a terminal that is so wide. */
        columns?: number;
      } = {},
  ): Promise<Spoken> {
    const { overrides, input, signal = new AbortController().signal, ...rest } = options;
    const { secrets = plainSecrets, proxy, gateway = noGateway, columns, ...flags } = rest;
    const given = input === undefined ? {} : { config: readConfig(input) };
    const setup = { ...this.#setup(overrides), ...given };
    const { now } = this;
    return spoken((streams) => {
      const out = Object.assign(streams.out, { isTTY: columns !== undefined, columns });
      const terminal = { ...streams, out } as Terminal;
      return check({ setup, flags, secrets, proxy, gateway, signal, now, terminal });
    });
  }

  /** @param options `columns` of a terminal; without them it is none */
  async status(
    options: StatusFlags & {
      overrides?: Record<string, unknown>;
      columns?: number;
      signal?: AbortSignal;
      askService?: StatusOptions["askService"];
    } = {},
  ): Promise<Spoken> {
    const { overrides, columns, askService, ...rest } = options;
    const { signal = new AbortController().signal, ...flags } = rest;
    const setup = this.#setup(overrides);
    const how = { setup, flags, now: this.now, signal, askService };
    return spoken((terminal) => status({ ...how, terminal }), columns);
  }

  /** @param input see {@link preview} @param columns of a terminal; without them it is none */
  async sessions(
    options: SessionsFlags & {
      overrides?: Record<string, unknown>;
      input?: unknown;
      columns?: number;
    } = {},
  ): Promise<Spoken> {
    const { overrides, input, columns, ...flags } = options;
    const local = input === undefined ? { missing: [] } : readLocalConfig(input);
    const setup = { ...this.#setup(overrides), ...local };
    const context = { signal: new AbortController().signal, now: this.now };
    return spoken((terminal) => sessions({ setup, flags, context, terminal }), columns);
  }

  async history(options: HistoryFlags & { columns?: number } = {}): Promise<Spoken> {
    const { columns, ...flags } = options;
    const setup = { stateDir: this.stateDir };
    return spoken((terminal) => history({ setup, flags, terminal }), columns);
  }

  /** Runs of the service in the Gateway, and all that it logs and reports to the host. */
  async serve(overrides: Record<string, unknown> = {}, runs = 1): Promise<string[]> {
    const said: string[] = [];
    const say = (line: string): unknown => said.push(line);
    const { everyMs: _, ...config } = this.config(overrides);
    const scheduler = startUploads(
      {
        stateDir: this.stateDir,
        config: this.hostConfig as never,
        logger: { info: say, warn: say },
        serviceHealth: {
          reportFailure: (error) => say(String(error)),
          clearFailure: () => undefined,
        },
      },
      { ...config, upload: { ...config.upload, every: "1s" } },
    );
    let before = (await readLastRun(this.stateDir))?.at;
    scheduler.start();
    for (let left = runs; left > 0; await sleep(20)) {
      const noted = await readLastRun(this.stateDir);
      if (noted === null || noted.at === before) continue;
      before = noted.at;
      left--;
    }
    await scheduler.stop();
    return said;
  }

  /** What the receiver holds of a session's newest (or given) generation, as text; "" when nothing. */
  received(agentId: string, sessionId: string, generation?: number): string {
    const held = this.receiver
      .sessions()
      .filter((one) => one.agentId === agentId && one.sessionId === sessionId)
      .filter((one) => generation === undefined || one.generation === generation)
      .at(-1);
    return held === undefined ? "" : readFileSync(held.file, "utf8");
  }

  /** `agent/session` of everything the receiver holds, sorted. */
  receivedSessions(): string[] {
    return this.receiver
      .sessions()
      .map(({ agentId, sessionId }) => `${agentId}/${sessionId}`)
      .sort();
  }

  async record(agentId: string, sessionId: string): Promise<SessionRecord | undefined> {
    const ledger = await Ledger.open({ stateDir: this.stateDir, now: this.now, readOnly: true });
    return ledger.target(this.config()).sessions[`${agentId}/${sessionId}`];
  }

  get ledgerPaths(): ReturnType<typeof ledgerPaths> {
    return ledgerPaths(this.stateDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receiver.close();
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.#received, { recursive: true, force: true });
  }
}

/** Collects what a command writes, as if piped; or on a terminal with so many columns. */
export async function spoken(
  command: (terminal: { out: Writable; err: Writable }) => Promise<number>,
  columns?: number,
): Promise<Spoken> {
  const collect = (chunks: string[]): Writable => {
    const stream = new Writable({
      write(chunk, _encoding, done) {
        chunks.push(String(chunk));
        done();
      },
    });
    return columns === undefined ? stream : Object.assign(stream, { isTTY: true, columns });
  };
  const out: string[] = [];
  const err: string[] = [];
  const code = await command({ out: collect(out), err: collect(err) });
  return { code, out: out.join(""), err: err.join("") };
}
