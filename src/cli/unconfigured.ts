import { type ConfigProblem, formatConfigProblem, MINIMAL_CONFIG } from "../config/config.ts";
import { plain } from "../shared/text.ts";
import type { Terminal } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

/** What is wrong with a config, and what a minimal one is, under a line that says what follows from it. */
export function formatUnconfigured(
  title: string,
  problems: readonly ConfigProblem[],
  stream: Terminal["out"],
): string {
  const lines = problems.map(
    (problem) => `${hang("  ", plain(formatConfigProblem(problem)), widthOf(stream), 4)}\n`,
  );
  return `${title}\n\n${lines.join("")}\nThe minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`;
}
