import { type ConfigProblem, formatConfigProblem, MINIMAL_CONFIG } from "../config/config.ts";
import { plain } from "../shared/text.ts";

/** What is wrong with a config, and what a minimal one is, under a line that says what follows from it. */
export function formatUnconfigured(title: string, problems: readonly ConfigProblem[]): string {
  const lines = problems.map((problem) => `  ${plain(formatConfigProblem(problem))}\n`);
  return `${title}\n\n${lines.join("")}\nThe minimal setup in openclaw.json is:\n\n${MINIMAL_CONFIG}\n`;
}
