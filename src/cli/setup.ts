import type { Config, ConfigProblem, ConfigResult } from "../config/config.ts";
import type { WriteOptions } from "../openclaw/config-file.ts";
import { readState } from "../run/state.ts";
import { asInfluxionError, InfluxionError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import type { HostLayout } from "../stores/layout.ts";
import { type CheckOptions, check } from "./check.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { type AnswerFlags, collectAnswers } from "./setup/answers.ts";
import { applyChange, type Change } from "./setup/change.ts";
import {
  formatByHand,
  formatOutlook,
  formatProblems,
  type Outlook,
  QUESTION,
} from "./setup/format.ts";
import { type Mended, mend } from "./setup/mend.ts";
import { Interrupted, type Prompter } from "./setup/prompter.ts";
import { painter, type Terminal } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

/** As the user gave them. */
export interface SetupFlags extends AnswerFlags {
  /** Removes options with wrong values. */
  readonly fix?: boolean;
  readonly yes?: boolean;
}

export interface SetupOptions extends Pick<CheckOptions, "secrets" | "proxy" | "gateway"> {
  readonly stateDir: string;
  readonly layout?: HostLayout | undefined;
  /** The plugin's options as they are. */
  readonly present: unknown;
  readonly flags: SetupFlags;
  /** Null where nobody can be asked, like `ask`. */
  readonly prompter: Prompter | null;
  readonly ask: ((question: string, signal: AbortSignal) => Promise<boolean>) | null;
  readonly readInput: () => Promise<string>;
  /** Null where the host offers no way to write its config. */
  readonly write: WriteOptions | null;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly terminal: Terminal;
}

/**
 * `openclaw influxion setup`: asks, shows what would go, writes once that was confirmed, and checks.
 * @returns the exit code: that of `check`, or 1 when nothing was changed
 */
export async function setup(options: SetupOptions): Promise<number> {
  const { terminal, signal } = options;
  try {
    const mended = await propose(options);
    if (!mended.result.ok) return refuse(options, mended.result.problems);
    const { config } = mended.result;
    await confirm(options, config);
    await write(options, mended.change);
    return await checkNew(options, mended.result);
  } catch (error) {
    if (signal.aborted || error instanceof Interrupted) {
      terminal.err.write("\nInterrupted. Nothing was changed.\n");
      return EXIT.interrupted;
    }
    const { message, exitCode } = describeFailure(error);
    const title = painter(terminal.err)("red", "Nothing was changed");
    terminal.err.write(`${title}: ${plain(message)}\n`);
    return exitCode;
  }
}

/** The options as they shall be. */
async function propose(options: SetupOptions): Promise<Mended> {
  const { prompter, present, terminal } = options;
  if (prompter !== null) terminal.err.write(welcome(terminal));
  const set = await collectAnswers(options);
  return await mend(present, set, (path, wrong) => mayRemove(options, path, wrong));
}

function welcome({ err }: Terminal): string {
  const promise =
    "Nothing is changed, and nothing is sent, before you have seen what it is and said yes. Ctrl-C ends it at any time.";
  return `Influxion ${VERSION}: setup\n\n${hang("", promise, widthOf(err))}\n\n`;
}

async function mayRemove(
  { flags, prompter, terminal }: SetupOptions,
  path: string,
  wrong: string,
): Promise<boolean> {
  if (flags.fix === true) return true;
  if (prompter === null) return false;
  terminal.err.write(`\n${hang("", plain(wrong), widthOf(terminal.err))}\n`);
  const answer = await prompter.ask(`Remove ${plain(path)} from the config? [Y/n] `);
  return answer === "" || /^y(es)?$/i.test(answer);
}

function refuse({ terminal }: SetupOptions, problems: readonly ConfigProblem[]): number {
  const title = `${painter(terminal.err)("red", "Nothing was changed")}: the config would not be right.`;
  terminal.err.write(formatProblems(title, problems, terminal.err));
  terminal.err.write("Correct these options, or add --fix to remove them.\n");
  return EXIT.usage;
}

/** @throws {InfluxionError} `NOT_CONFIRMED` */
async function confirm(options: SetupOptions, config: Config): Promise<void> {
  const { flags, ask, signal, terminal } = options;
  const [outlook, unknownKey] = await Promise.all([
    outlookOf(options, config),
    options.secrets(config).then(
      () => null,
      (error: unknown) => asInfluxionError(error).message,
    ),
  ]);
  terminal.err.write(`${formatOutlook(config, { outlook, unknownKey }, widthOf(terminal.err))}\n`);
  signal.throwIfAborted();
  if (flags.yes === true) return;
  if (ask === null) {
    throw new InfluxionError(
      "NOT_CONFIRMED",
      "there is no terminal to ask at; add --yes if this is what you want",
    );
  }
  const isConfirmed = await ask(QUESTION, signal);
  signal.throwIfAborted();
  if (!isConfirmed) throw new InfluxionError("NOT_CONFIRMED", "not confirmed");
}

async function outlookOf(
  { stateDir, layout, now }: SetupOptions,
  config: Config,
): Promise<Outlook> {
  try {
    return await readState(stateDir, config, now, layout);
  } catch (error) {
    return { why: asInfluxionError(error).message };
  }
}

/** @throws {InfluxionError} `CONFIG_NOT_WRITTEN`, after what is to be written by hand was shown */
async function write(
  { write: writeOptions, present, terminal }: SetupOptions,
  change: Change,
): Promise<void> {
  const options = applyChange(present, change);
  try {
    if (writeOptions === null) {
      const message = "this OpenClaw does not let a plugin write its config";
      throw new InfluxionError("CONFIG_NOT_WRITTEN", message);
    }
    const path = await writeOptions((found) => applyChange(found, change));
    terminal.err.write(`Written to ${plain(path)}.\nA running Gateway takes it up by itself.\n\n`);
  } catch (error) {
    terminal.err.write(`${formatByHand(options)}\n`);
    throw withoutKey(error, options.apiKey);
  }
}

/** A host may quote what it refuses. */
function withoutKey(error: unknown, apiKey: unknown): InfluxionError {
  const { code, message } = asInfluxionError(error);
  if (typeof apiKey !== "string") return new InfluxionError(code, message);
  return new InfluxionError(code, message.replaceAll(apiKey, "…"));
}

/** From here on the config is written, whatever is found. */
async function checkNew(options: SetupOptions, config: ConfigResult): Promise<number> {
  const { stateDir, layout } = options;
  const code = await check({ ...options, setup: { stateDir, layout, config }, flags: {} });
  if (code !== EXIT.done) {
    options.terminal.err.write(
      'The config is written all the same; "openclaw influxion setup" changes it.\n',
    );
  }
  return code;
}
