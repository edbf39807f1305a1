import type { ParseArgsOptionsConfig } from "node:util";
import type { Terminal } from "../terminal.ts";
import type { Environment } from "./flags.ts";

/** The flags of a command, by their names in camel case. */
export type Flags = Readonly<Record<string, string | boolean | string[] | undefined>>;

export interface Call {
  readonly flags: Flags;
  /** What stands behind the command's name and is no flag. */
  readonly words: readonly string[];
  readonly env: Environment;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** One command of `influxion-receive`. */
export interface Command {
  readonly usage: string;
  readonly options: ParseArgsOptionsConfig;
  /** Returns the exit code. @throws {UsageError} @throws {InfluxionError} */
  readonly run: (call: Call) => Promise<number>;
}

/** The value of a flag that takes one. */
export function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}
