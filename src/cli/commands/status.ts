import type { StatusFlags } from "../status.ts";
import { type Command, type CommandContext, setupOf, TERMINAL } from "./context.ts";
import { interruptible } from "./interruptible.ts";

/** Word for word those of the README. */
export const STATUS_EXIT_CODES = `
Exit codes:
  0    all is well; sessions may be waiting for the next run
  1    config, ledger or something else on this machine keeps uploads off
  2    some sessions, stores or deletions are failing
  3    the API refuses, asked to wait or cannot be reached, or a run of the Gateway is late
`;

const HELP = `
Examples:
  openclaw influxion status --verbose
  openclaw influxion status --watch
${STATUS_EXIT_CODES}`;

export function addStatus(influxion: Command, context: CommandContext): void {
  influxion
    .command("status")
    .description(
      "Show config, last run and what is uploaded, waiting, skipped and failing; no network call",
    )
    .option("--json", "print one JSON document")
    .option("--verbose", "show every agent and every failing session")
    .option("--watch", "refresh until Ctrl-C; where there is no terminal, show it once")
    .addHelpText("after", HELP)
    .action(async (flags: StatusFlags) => {
      const [{ status }, { askStatus: askService }, setup] = await Promise.all([
        import("../status.ts"),
        import("../../openclaw/ask-service.ts"),
        setupOf(context),
      ]);
      await interruptible(async (signal) => {
        const how = { setup, flags, terminal: TERMINAL, now: Date.now, signal, askService };
        process.exitCode = await status(how);
      });
    });
}
