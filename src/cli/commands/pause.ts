import type { PauseFlags } from "../pause.ts";
import { type Command, type CommandContext, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

export function addPause(influxion: Command, context: CommandContext): void {
  influxion
    .command("pause")
    .description("Send nothing until it is over; the commands go on to work")
    .option("--for <time>", "a time such as 30m, 2h or 1d (default: until resume)")
    .option("--until <date>", "a day, or a time such as 2026-12-01T18:00")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
A run that is going on stops after the part that it is sending. It outlives restarts.

Examples:
  openclaw influxion pause --for 2h
  openclaw influxion pause --until 2026-12-01
${EXIT_CODES}`,
    )
    .action(async (flags: PauseFlags) => {
      const { pauseUploads } = await import("../pause.ts");
      const stateDir = context.stateDir();
      process.exitCode = await pauseUploads({ stateDir, flags, terminal: TERMINAL, now: Date.now });
    });
}
