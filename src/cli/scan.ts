import type { Config } from "../config/config.ts";
import { type FindSecretsOptions, findSecrets, type SearchReport } from "../run/find-secrets.ts";
import { bytes, count, plain } from "../shared/text.ts";
import { checkAgent } from "./check-agent.ts";
import type { LocalCommand } from "./command-input.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { localSecrets } from "./local-secrets.ts";
import { Output } from "./output.ts";
import { JsonScan, ReadableScan, type ScanView } from "./scan-format.ts";
import { ProgressLine, painter } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";

/** As the user gave them. */
export interface ScanFlags {
  /** Also what filters exclude. */
  readonly all?: boolean;
  readonly agent?: string;
  readonly json?: boolean;
}

export type ScanOptions = LocalCommand<ScanFlags>;

/**
 * `openclaw influxion scan`: looks for credentials in all transcripts there are. Reads no network,
 * and changes nothing. Returns the exit code, see {@link EXIT}.
 */
export async function scan(options: ScanOptions): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { config } = setup;
  const output = new Output(terminal.out);
  const view: ScanView =
    flags.json === true ? new JsonScan(output) : new ReadableScan(output, painter(terminal.out));
  if (!config.ok) {
    await view.abort({ outcome: "not-configured", configProblems: config.problems });
    const title = "Nothing was searched: the config has to be corrected.";
    terminal.err.write(formatUnconfigured(title, config, terminal.err));
    return EXIT.usage;
  }
  try {
    const report = await search(options, config.config, view);
    const exitCode = exitCodeOf(report);
    await view.end(report, exitCode);
    return output.isClosed ? EXIT.done : exitCode;
  } catch (error) {
    if (output.isClosed) return EXIT.done;
    if (context.signal.aborted) {
      await view.abort({ outcome: "interrupted", exitCode: EXIT.interrupted });
      terminal.err.write("Interrupted; not everything was searched.\n");
      return EXIT.interrupted;
    }
    const { exitCode, ...failure } = describeFailure(error);
    await view.abort({ outcome: "error", error: failure, exitCode });
    const what = painter(terminal.err)("red", "The search ended early");
    terminal.err.write(`${what}: ${plain(failure.message)}\n`);
    return exitCode;
  }
}

/** What was found is more to act on than what could not be read. */
function exitCodeOf({ rules, failures }: SearchReport): number {
  if (Object.keys(rules).length > 0) return EXIT.found;
  return failures.length > 0 ? EXIT.partial : EXIT.done;
}

async function search(options: ScanOptions, config: Config, view: ScanView): Promise<SearchReport> {
  const { setup, flags, context, terminal } = options;
  const { stateDir, layout, missing } = setup;
  const { agent, all = false } = flags;
  if (agent !== undefined) await checkAgent(setup, context, config, agent);
  const secrets = await localSecrets(options.secrets, config, terminal);
  const line = new ProgressLine(terminal.err);
  // Without a destination nothing is known to have gone to it.
  const isKnown = !missing.includes("deploymentId") && !missing.includes("projectId");
  const stop = new AbortController();
  let sessions = 0;
  const onSession: FindSecretsOptions["onSession"] = (_, read) => {
    line.show(`Searching: ${count(sessions++, "session")}, ${bytes(read)}`);
  };
  const onFinding: FindSecretsOptions["onFinding"] = async (finding) => {
    line.clear();
    await view.show(isKnown ? finding : { ...finding, sent: null });
    if (view.output.isClosed) stop.abort();
  };
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const chosen = { ...secrets, stateDir, layout, config, agentId: agent, all };
  try {
    return await findSecrets({ ...context, ...chosen, signal, onSession, onFinding });
  } finally {
    line.clear();
  }
}
