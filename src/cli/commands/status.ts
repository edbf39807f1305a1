import type { StatusFlags } from "../status.ts";
import { type Command, type CommandContext, setupOf, TERMINAL } from "./context.ts";

export function addStatus(influxion: Command, context: CommandContext): void {
  influxion
    .command("status")
    .description(
      "Show config, last run and what is uploaded, waiting, skipped and failing; no network call",
    )
    .option("--json", "print one JSON document")
    .option("--verbose", "show every agent and every failing session")
    .addHelpText("after", "\nExample:\n  openclaw influxion status --verbose\n")
    .action(async (flags: StatusFlags) => {
      const [{ status }, setup] = await Promise.all([import("../status.ts"), setupOf(context)]);
      process.exitCode = await status({ setup, flags, terminal: TERMINAL, now: Date.now });
    });
}
