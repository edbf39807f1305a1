import type { Config } from "../config/config.ts";
import { LedgerError } from "../ledger/files.ts";
import { readState, type UploadState } from "../run/state.ts";
import type { Clock } from "../shared/clock.ts";
import { StoreError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import type { Setup } from "./command-input.ts";
import { formatStatus, maskKey } from "./status-format.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";

/** As the user gave them. */
export interface StatusFlags {
  readonly json?: boolean;
  /** Every agent and every failing session. */
  readonly verbose?: boolean;
}

export interface StatusOptions extends Clock {
  readonly setup: Setup;
  readonly flags: StatusFlags;
  readonly terminal: Terminal;
}

/**
 * `openclaw influxion status`: looks, touches nothing and calls nobody.
 * @returns the exit code: 0, or 1 when the config or the ledger keeps uploads off
 */
export async function status(options: StatusOptions): Promise<number> {
  const { setup, flags, terminal, now } = options;
  const { stateDir, layout, config } = setup;
  const { json = false, verbose = false } = flags;
  const paint = painter(terminal.out);
  const configWarnings = config.warnings;
  if (!config.ok) {
    const problems = config.problems;
    if (json) {
      writeJson(terminal, {
        version: VERSION,
        configured: false,
        stateDir,
        configProblems: problems,
        configWarnings,
      });
      return 1;
    }
    const title = `Influxion ${VERSION}: ${paint("yellow", "not configured, nothing is uploaded")}`;
    terminal.out.write(formatUnconfigured(title, config, terminal.out));
    return 1;
  }
  let state: UploadState;
  try {
    state = await readState(stateDir, config.config, now, layout);
  } catch (error) {
    if (!(error instanceof LedgerError || error instanceof StoreError)) throw error;
    const { code, message } = error;
    if (json)
      writeJson(terminal, {
        version: VERSION,
        configured: true,
        stateDir,
        error: { code, message },
        configWarnings,
      });
    else
      terminal.out.write(
        `Influxion ${VERSION}: ${paint("red", "uploads are stopped")}\n\n  ${plain(message)}\n`,
      );
    return 1;
  }
  if (json) {
    writeJson(terminal, { ...toJson(stateDir, config.config, state), configWarnings });
  } else {
    const options = { stateDir, verbose, terminal, now, configWarnings };
    terminal.out.write(formatStatus(options, config.config, state));
  }
  return 0;
}

function toJson(stateDir: string, config: Config, state: UploadState): object {
  const { apiUrl, deploymentId, projectId, apiKey, everyMs, upload } = config;
  return {
    version: VERSION,
    configured: true,
    stateDir,
    target: { apiUrl, deploymentId, projectId, apiKey: maskKey(apiKey) },
    interval: { every: upload.every, everyMs },
    ...state,
  };
}
