import type { Config } from "../config/config.ts";
import { LedgerError } from "../ledger/files.ts";
import type { ServiceStatus } from "../openclaw/uploads.ts";
import { type Headline, headlineOf } from "../run/headline.ts";
import { readState, type UploadState } from "../run/state.ts";
import type { Clock } from "../shared/clock.ts";
import { StoreError } from "../shared/problem.ts";
import { plain, plainJson } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import type { Setup } from "./command-input.ts";
import { STATUS_EXIT, statusExitCode } from "./status-exit.ts";
import { formatStatus, maskKey } from "./status-format.ts";
import { painter, type Terminal } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";
import { type Frame, watch } from "./watch.ts";
import { hang, widthOf } from "./wrap.ts";

/** As the user gave them. */
export interface StatusFlags {
  readonly json?: boolean;
  /** Every agent and every failing session. */
  readonly verbose?: boolean;
  /** Refresh until somebody ends it; on a terminal only, elsewhere it is shown once. */
  readonly watch?: boolean;
}

export interface StatusOptions extends Clock {
  readonly setup: Setup;
  readonly flags: StatusFlags;
  readonly terminal: Terminal;
  /** Ends `--watch`. @default nothing does */
  readonly signal?: AbortSignal;
  /** Asks the running service; null when there is none. @default there is none */
  readonly askService?: ((stateDir: string) => Promise<ServiceStatus | null>) | undefined;
}

/**
 * `openclaw influxion status`: looks, touches nothing and calls nobody but the Gateway.
 * @returns the exit code, see {@link STATUS_EXIT}
 */
export async function status(options: StatusOptions): Promise<number> {
  const { flags, terminal, signal = new AbortController().signal } = options;
  const isWatched = flags.watch === true;
  if (isWatched && flags.json === true) {
    terminal.err.write("--watch: --json prints one document, which cannot be refreshed\n");
    return STATUS_EXIT.stopped;
  }
  const look = (): Promise<Frame> => lookOnce(options);
  if (isWatched && terminal.out.isTTY === true) return await watch(terminal.out, signal, look);
  const { text, exitCode } = await look();
  terminal.out.write(text);
  return exitCode;
}

async function lookOnce(options: StatusOptions): Promise<Frame> {
  const { setup, now, askService } = options;
  const { stateDir, layout, config } = setup;
  if (!config.ok) return unconfigured(options, config);
  const asked = askService?.(stateDir) ?? null;
  let state: UploadState;
  try {
    state = await readState(stateDir, config.config, now, layout);
  } catch (error) {
    if (error instanceof LedgerError || error instanceof StoreError) return stopped(options, error);
    throw error;
  }
  return found(options, config.config, state, await asked);
}

function found(
  { setup, flags, terminal, now: clock }: StatusOptions,
  config: Config,
  state: UploadState,
  service: ServiceStatus | null,
): Frame {
  const { json = false, verbose = false } = flags;
  const {
    stateDir,
    config: { warnings: configWarnings },
  } = setup;
  const now = clock();
  const headline = headlineOf(config, state, now);
  const exitCode = statusExitCode(headline, state);
  const how = { stateDir, verbose, terminal, now, headline, configWarnings, service };
  const text = json
    ? document({ stateDir, ...toJson(config, headline, state), service, configWarnings, exitCode })
    : formatStatus(how, config, state);
  return { text, exitCode };
}

function unconfigured(
  { setup: { stateDir }, flags, terminal: { out } }: StatusOptions,
  config: Extract<Setup["config"], { ok: false }>,
): Frame {
  const exitCode = STATUS_EXIT.stopped;
  if (flags.json === true) {
    const { problems: configProblems, warnings: configWarnings } = config;
    const wrong = { stateDir, configProblems, configWarnings };
    return { text: document({ configured: false, ...wrong, exitCode }), exitCode };
  }
  const what = painter(out)("yellow", "not configured, nothing is uploaded");
  const title = `Influxion ${VERSION}: ${what}`;
  return { text: formatUnconfigured(title, config, out), exitCode };
}

function stopped(
  { setup, flags, terminal: { out } }: StatusOptions,
  { code, message }: LedgerError | StoreError,
): Frame {
  const exitCode = STATUS_EXIT.stopped;
  if (flags.json === true) {
    const { stateDir, config } = setup;
    const trouble = { error: { code, message }, configWarnings: config.warnings };
    return { text: document({ configured: true, stateDir, ...trouble, exitCode }), exitCode };
  }
  const title = `Influxion ${VERSION}: ${painter(out)("red", "uploads are stopped")}`;
  return { text: `${title}\n\n${hang("  ", plain(message), widthOf(out))}\n`, exitCode };
}

const document = (content: object): string => `${plainJson({ version: VERSION, ...content })}\n`;

function toJson(config: Config, headline: Headline, state: UploadState) {
  const { apiUrl, deploymentId, projectId, apiKey, everyMs, upload } = config;
  return {
    configured: true,
    headline,
    target: { apiUrl, deploymentId, projectId, apiKey: maskKey(apiKey) },
    interval: { every: upload.every, everyMs },
    ...state,
  };
}
