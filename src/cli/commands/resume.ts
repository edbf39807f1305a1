import type { PauseFlags } from "../pause.ts";
import { type Command, type CommandContext, TERMINAL } from "./context.ts";

export function addResume(influxion: Command, context: CommandContext): void {
  influxion
    .command("resume")
    .description("End a pause: uploads go on")
    .option("--json", "print one JSON document")
    .action(async (flags: Pick<PauseFlags, "json">) => {
      const { resumeUploads } = await import("../pause.ts");
      const stateDir = context.stateDir();
      process.exitCode = await resumeUploads({
        stateDir,
        flags,
        terminal: TERMINAL,
        now: Date.now,
      });
    });
}
