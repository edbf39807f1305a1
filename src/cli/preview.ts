import type { Config } from "../config/config.ts";
import type { KnownSession } from "../discovery/select.ts";
import { type DryRunOptions, dryRun } from "../run/dry-run.ts";
import { knownSessions, namedSessions } from "../run/known-sessions.ts";
import { plain } from "../shared/text.ts";
import { checkAgent } from "./check-agent.ts";
import type { LocalCommand } from "./command-input.ts";
import { describePlaceholders } from "./describe-missing.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { localSecrets } from "./local-secrets.ts";
import { Output } from "./output.ts";
import { JsonPreview } from "./preview-json.ts";
import { ReadablePreview } from "./preview-readable.ts";
import type { PreviewView } from "./preview-view.ts";
import { failureLines, noteLines } from "./sync-format.ts";
import { painter, type Terminal } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";
import { wrapLines } from "./wrap.ts";

/** Lines that are shown on a terminal unless `--limit` says otherwise. */
const LINES_ON_TERMINAL = 50;

/** As the user gave them. */
export interface PreviewFlags {
  readonly agent?: string;
  /** An id, a key, a label, or `<agent>/<id>`. */
  readonly session?: string;
  /** Lines, or `all`. */
  readonly limit?: string;
  /** What is redacted, masked. */
  readonly showRedacted?: boolean;
  readonly json?: boolean;
}

export type PreviewOptions = LocalCommand<PreviewFlags>;

/**
 * `openclaw influxion preview`: what would leave this machine, line by line. Reads no network, and
 * changes nothing. Returns the exit code, see {@link EXIT}.
 */
export async function preview(options: PreviewOptions): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { config, missing } = setup;
  const usage = usageProblem(flags, terminal);
  if (usage !== undefined) {
    terminal.err.write(`${usage}\n`);
    return EXIT.usage;
  }
  if (!config.ok) {
    const title = "Nothing can be shown: the config has to be corrected.";
    terminal.err.write(formatUnconfigured(title, config, terminal.err));
    return EXIT.usage;
  }
  if (missing.length > 0)
    terminal.err.write(`${wrapLines([describePlaceholders(missing)], terminal.err)}\n`);
  try {
    return await show(options, config.config);
  } catch (error) {
    if (context.signal.aborted) return EXIT.interrupted;
    const { exitCode, message } = describeFailure(error);
    terminal.err.write(
      `${painter(terminal.err)("red", "Nothing can be shown")}: ${plain(message)}\n`,
    );
    return exitCode;
  }
}

/** What is wrong with the flags. */
function usageProblem(
  { limit, showRedacted = false, json = false }: PreviewFlags,
  { out }: Terminal,
): string | undefined {
  if (limit !== undefined && !/^(?:all|[1-9]\d{0,8})$/.test(limit)) {
    return `--limit: found "${plain(limit)}", expected a number of lines from 1, or "all"`;
  }
  if (showRedacted && json) return "--show-redacted: --json is what would leave, which it is not";
  if (showRedacted && out.isTTY !== true) {
    return "--show-redacted: works on a terminal only, so that nothing of a credential is written elsewhere";
  }
  return undefined;
}

async function show(options: PreviewOptions, config: Config): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { json = false, agent, session } = flags;
  if (agent !== undefined) await checkAgent(setup, context, config, agent);
  const secrets = await localSecrets(options.secrets, config, terminal);
  const chosen = { ...dryRunOptions(options, config), ...secrets };
  // Names are for people; what is sent is decided without them.
  const known = json && session === undefined ? [] : await knownSessions(chosen);
  const meant = session === undefined ? undefined : namedSessions(known, session);
  const view = viewOf(options, known);
  const only = meant && new Set(meant.map(({ key }) => key));
  const { report, problems, survey, plan } = await dryRun({ ...chosen, only, reader: view });
  if (view.output.isClosed) return EXIT.done;
  const trouble = [...failureLines(report, terminal), ...noteLines({ problems })];
  const total = { sessions: plan.length, bytes: plan.reduce((sum, { bytes }) => sum + bytes, 0) };
  const states = new Map(survey.sessions.map((one) => [one.key, one]));
  const asked = meant && new Map(meant.map(({ key }) => [key, states.get(key)]));
  await view.end({ total, asked, trouble });
  return report.failed > 0 ? EXIT.partial : EXIT.done;
}

function viewOf({ flags, terminal }: PreviewOptions, known: readonly KnownSession[]): PreviewView {
  const { limit, json = false, showRedacted = false } = flags;
  const isShort = !json && terminal.out.isTTY === true;
  const lines = limit === undefined && isShort ? LINES_ON_TERMINAL : Number(limit ?? "all");
  const options = {
    output: new Output(terminal.out),
    terminal,
    limit: Number.isNaN(lines) ? Number.POSITIVE_INFINITY : lines,
  };
  if (json) return new JsonPreview(options);
  const names = new Map(known.map(({ key, names: called }) => [key, called]));
  return new ReadablePreview({ ...options, names, showRedacted });
}

/** As `sync --all` would do it. */
function dryRunOptions(
  { setup: { stateDir, layout }, flags, context }: PreviewOptions,
  config: Config,
): DryRunOptions {
  const chosen = { agentId: flags.agent, all: true, toTheEnd: true, retryBackedOff: true };
  return { ...context, ...chosen, stateDir, layout, config, trigger: "command" };
}
