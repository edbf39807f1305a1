import type { Config } from "../config/config.ts";
import {
  type ForgetRequest,
  type Forgotten,
  forget as forgetNow,
  previewForget,
  type Selection,
} from "../run/forget.ts";
import { LOCK_WAIT_MS } from "../run/lock-wait.ts";
import type { RunContext } from "../run/options.ts";
import { InfluxionError, LockedError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import type { HostProxy } from "../upload/proxy.ts";
import type { Setup } from "./command-input.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { describeRetry, formatForgotten, formatQuestion } from "./forget-format.ts";
import { describeWait } from "./sync-format.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";

/** As the user gave them. */
export interface ForgetFlags {
  readonly session?: readonly string[];
  readonly agent?: string;
  readonly all?: boolean;
  readonly remote?: boolean;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export interface ForgetOptions {
  readonly setup: Setup;
  readonly flags: ForgetFlags;
  readonly context: Omit<RunContext, "events">;
  /** Turns the config's key into the key itself. */
  readonly apiKey: (key: Config["apiKey"]) => Promise<string>;
  readonly proxy?: HostProxy | undefined;
  /** Asks the user; null where there is nobody to ask. */
  readonly ask: ((question: string, signal: AbortSignal) => Promise<boolean>) | null;
  readonly terminal: Terminal;
}

/** `openclaw influxion forget`. Returns the exit code, see {@link EXIT}. */
export async function forget(options: ForgetOptions): Promise<number> {
  const { setup, flags, terminal } = options;
  const { config } = setup;
  const { json = false } = flags;
  if (!config.ok) {
    if (json) writeJson(terminal, { outcome: "not-configured", configProblems: config.problems });
    const title = "Nothing was changed: the config is not complete.";
    terminal.err.write(formatUnconfigured(title, config, terminal.err));
    return EXIT.usage;
  }
  try {
    return await carryOut(options, config.config);
  } catch (error) {
    return tellEarlyEnd(options, error);
  }
}

async function carryOut(options: ForgetOptions, config: Config): Promise<number> {
  const { setup, flags, context, proxy, terminal } = options;
  const { signal } = context;
  const request = requestOf(flags);
  const asksApi = request.remote && !request.undo;
  // Before anything is changed: without a key nothing of it can be done.
  const apiKey = asksApi ? await options.apiKey(config.apiKey) : "";
  const what = { ...setup, ...context, config, request };
  const preview = await previewForget(what);
  await confirm(options, config, request, preview);
  const done = await forgetNow(
    {
      ...what,
      apiKey,
      proxy,
      lockWaitMs: LOCK_WAIT_MS,
      onWait: (owner) => terminal.err.write(`${describeWait(owner)}\n`),
      onRetry: (reason, waitMs) => terminal.err.write(`${describeRetry(reason, waitMs)}\n`),
    },
    preview,
  ).catch((error: unknown) => {
    throw signal.aborted || error instanceof LockedError ? error : new Begun(error);
  });
  const exitCode = exitCodeOf(done);
  if (flags.json) writeJson(terminal, { ...toJson(request, done), exitCode });
  else terminal.out.write(formatForgotten(terminal, config, request, done));
  return exitCode;
}

/** Around a failure after which something may have been written down. */
class Begun extends Error {
  constructor(cause: unknown) {
    super("the command ended early", { cause });
  }
}

/** @throws {InfluxionError} `FORGET_SCOPE` */
function requestOf(flags: ForgetFlags): ForgetRequest {
  const { session: sessions, agent, all = false, remote = false, undo = false } = flags;
  const isNothing = sessions === undefined && agent === undefined && !all;
  if (isNothing || (all && (sessions ?? agent) !== undefined)) {
    throw new InfluxionError(
      "FORGET_SCOPE",
      "say what to forget: --session <name>, --agent <name> or --all",
    );
  }
  if (undo && remote) {
    throw new InfluxionError(
      "FORGET_SCOPE",
      "--undo and --remote do not go together: what the API has deleted is sent again by the next upload",
    );
  }
  return { sessions, agent, remote, undo };
}

/** @throws {InfluxionError} `NOT_CONFIRMED` */
async function confirm(
  { flags: { yes = false }, context: { signal }, ask }: ForgetOptions,
  config: Config,
  request: ForgetRequest,
  preview: Selection,
): Promise<void> {
  if (yes) return;
  const question = formatQuestion(config, request, preview);
  if (ask === null) {
    const message = `there is no terminal to ask at; add --yes if this is what you want: ${question}`;
    throw new InfluxionError("NOT_CONFIRMED", message);
  }
  if (!(await ask(question, signal))) throw new InfluxionError("NOT_CONFIRMED", "not confirmed");
}

function exitCodeOf({ remote, failures }: Forgotten): number {
  if (remote !== null && remote.pending > 0) return EXIT.unreachable;
  return failures.length > 0 ? EXIT.partial : EXIT.done;
}

function toJson(request: ForgetRequest, { sessions, failures, remote, calledOff }: Forgotten) {
  return {
    outcome: request.undo ? "undone" : "forgotten",
    sessions: sessions.map(({ agentId, sessionId }) => ({ agentId, sessionId })),
    failures,
    remote,
    calledOff,
  };
}

function tellEarlyEnd(
  { flags: { json = false }, context: { signal }, terminal }: ForgetOptions,
  error: unknown,
): number {
  if (signal.aborted) {
    const exitCode = EXIT.interrupted;
    if (json) writeJson(terminal, { outcome: "interrupted", exitCode });
    terminal.err.write(
      'Interrupted. "openclaw influxion status" shows what is forgotten; the same command goes on from there.\n',
    );
    return exitCode;
  }
  const hasBegun = error instanceof Begun;
  const { exitCode, ...failure } = describeFailure(hasBegun ? error.cause : error);
  if (json) writeJson(terminal, { outcome: "error", error: failure, exitCode });
  const what = hasBegun ? "The command ended early" : "Nothing was changed";
  terminal.err.write(`${painter(terminal.err)("red", what)}: ${plain(failure.message)}\n`);
  return exitCode;
}
