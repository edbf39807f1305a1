import { type CheckResult, isLocal } from "../check/result.ts";
import { type CheckOptions as ProbeOptions, runChecks } from "../check/run.ts";
import { VERSION } from "../shared/version.ts";
import {
  describeCheck,
  formatCheck,
  formatUnchecked,
  isUnchecked,
  summarize,
} from "./check-format.ts";
import type { Setup } from "./command-input.ts";
import { EXIT } from "./exit.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { widthOf } from "./wrap.ts";

/** As the user gave them. */
export interface CheckFlags {
  readonly json?: boolean;
  /** Without the network. */
  readonly offline?: boolean;
}

export interface CheckOptions
  extends Pick<ProbeOptions, "secrets" | "proxy" | "gateway" | "signal" | "now"> {
  readonly setup: Setup;
  readonly flags: CheckFlags;
  readonly terminal: Terminal;
}

/**
 * `openclaw influxion check`: whether this installation can deliver. Uploads nothing and records nothing.
 * @returns the exit code: 0 when nothing failed; 1 when something here did, 3 when the API or the way to it did
 */
export async function check(options: CheckOptions): Promise<number> {
  const { flags, terminal, signal, now } = options;
  const { json = false } = flags;
  const results: CheckResult[] = [];
  const show = shown(options.terminal);
  if (!json) terminal.out.write(`Influxion ${VERSION}: can this installation deliver?\n\n`);
  try {
    for await (const result of runChecks({ ...options, ...options.setup, ...probe(flags) })) {
      results.push(result);
      if (!json) show(result, now());
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    if (json) writeJson(terminal, { outcome: "interrupted", exitCode: EXIT.interrupted });
    terminal.err.write("Interrupted.\n");
    return EXIT.interrupted;
  }
  const exitCode = exitCodeOf(results);
  if (json) writeJson(terminal, toJson(results, exitCode, now()));
  else
    terminal.out.write(
      `${formatUnchecked(results, painter(terminal.out))}\n${summarize(results)}\n`,
    );
  return exitCode;
}

const probe = ({ offline = false }: CheckFlags): Pick<ProbeOptions, "offline"> => ({ offline });

/** Shows each at once, but what is not checked for the same reason as the rest, which is shown as one. */
function shown({ out }: Terminal): (result: CheckResult, now: number) => void {
  return (result, now) => {
    if (!isUnchecked(result)) out.write(formatCheck(result, painter(out), now, widthOf(out)));
  };
}

function exitCodeOf(results: readonly CheckResult[]): number {
  const failed = results.filter(({ verdict }) => verdict === "failed");
  if (failed.length === 0) return EXIT.done;
  return failed.some(isLocal) ? EXIT.usage : EXIT.unreachable;
}

function toJson(results: readonly CheckResult[], exitCode: number, now: number): unknown {
  return {
    version: VERSION,
    outcome: exitCode === EXIT.done ? "ok" : "failed",
    exitCode,
    checks: results.map(({ check: name, verdict, ...facts }) => ({
      check: name,
      verdict,
      message: describeCheck({ check: name, verdict, ...facts } as CheckResult, now),
      ...facts,
    })),
  };
}
