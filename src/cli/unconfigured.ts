import {
  type ConfigResult,
  type ConfigWarning,
  formatConfigProblem,
  MINIMAL_CONFIG,
} from "../config/config.ts";
import { plain } from "../shared/text.ts";
import type { Terminal } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

/** What a config is that nothing can start from. */
type Unusable = Extract<ConfigResult, { ok: false }>;

/** What is wrong with a config, and what a minimal one is, under a line that says what follows from it. */
export function formatUnconfigured(
  title: string,
  { problems, warnings }: Unusable,
  stream: Terminal["out"],
): string {
  const list = [...problems.map(formatConfigProblem), ...warnings.map(({ message }) => message)];
  const lines = list.map((text) => `${hang("  ", plain(text), widthOf(stream), 4)}\n`);
  return `${title}\n\n${lines.join("")}\n"openclaw influxion setup" asks for it. The minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`;
}

/** The same of a config that works, a line each. */
export function warningLines(warnings: readonly ConfigWarning[], stream: Terminal["out"]): string {
  return warnings
    .map(({ message }) => `${hang("Note: ", plain(message), widthOf(stream), 6)}\n`)
    .join("");
}
