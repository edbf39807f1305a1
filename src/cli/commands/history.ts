import type { HistoryFlags } from "../history.ts";
import { type Command, type CommandContext, setupOf, TERMINAL } from "./context.ts";

const HELP = `
The last 100 runs are remembered, also those of commands; runs that found nothing to do
are left out, and several in a row that sent nothing for the same reason are one.

Examples:
  openclaw influxion history
  openclaw influxion history --limit 100 --json
`;

export function addHistory(influxion: Command, context: CommandContext): void {
  influxion
    .command("history")
    .description("Show what the last runs did: when, by whom, what was sent, and what failed")
    .option("--limit <runs>", "how many runs (default: 20)")
    .option("--json", "print one JSON document")
    .addHelpText("after", HELP)
    .action(async (flags: HistoryFlags) => {
      const [{ history }, setup] = await Promise.all([import("../history.ts"), setupOf(context)]);
      process.exitCode = await history({ setup, flags, terminal: TERMINAL });
    });
}
