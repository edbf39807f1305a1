import type { Config, ConfigResult } from "../config/config.ts";
import { LedgerError } from "../ledger/files.ts";
import { StoreError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import type { HostLayout } from "../stores/layout.ts";
import { readState, type UploadState } from "./state.ts";
import { formatStatus, maskKey } from "./status-format.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";

export interface StatusOptions {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. */
  readonly layout?: HostLayout | undefined;
  readonly config: ConfigResult;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly terminal: Terminal;
  readonly now: () => number;
}

/**
 * `openclaw influxion status`: looks, touches nothing and calls nobody.
 * @returns the exit code: 0, or 1 when the config or the ledger keeps uploads off
 */
export async function status(options: StatusOptions): Promise<number> {
  const { stateDir, layout, config, json, terminal, now } = options;
  const paint = painter(terminal.out);
  if (!config.ok) {
    const problems = config.problems;
    if (json) {
      writeJson(terminal, {
        version: VERSION,
        configured: false,
        stateDir,
        configProblems: problems,
      });
      return 1;
    }
    const title = `Influxion ${VERSION}: ${paint("yellow", "not configured, nothing is uploaded")}`;
    terminal.out.write(formatUnconfigured(title, problems));
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
      });
    else
      terminal.out.write(
        `Influxion ${VERSION}: ${paint("red", "uploads are stopped")}\n\n  ${plain(message)}\n`,
      );
    return 1;
  }
  if (json) writeJson(terminal, toJson(options, config.config, state));
  else terminal.out.write(formatStatus(options, config.config, state));
  return 0;
}

function toJson({ stateDir }: StatusOptions, config: Config, state: UploadState): unknown {
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
