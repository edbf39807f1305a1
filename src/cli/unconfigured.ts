import type { ConfigProblem, ConfigWarning } from "../config/config.ts";
import { formatConfigProblem, MINIMAL_CONFIG } from "../config/config.ts";
import { plain } from "../shared/text.ts";

/** What is wrong with a config, and what a minimal one is, under a line that says what follows from it. */
export function formatUnconfigured(
  title: string,
  problems: readonly ConfigProblem[],
  warnings: readonly ConfigWarning[] = [],
): string {
  const lines = problems.map((problem) => `  ${plain(formatConfigProblem(problem))}\n`);
  const noted = warnings.map(({ message }) => `  ${plain(message)}\n`);
  const list = [...lines, ...noted].join("");
  return `${title}\n\n${list}\nThe minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`;
}

/** The same of a config that works, a line each. */
export function warningLines(warnings: readonly ConfigWarning[]): string {
  return warnings.map(({ message }) => `Note: ${plain(message)}\n`).join("");
}
