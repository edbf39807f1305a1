import type { SessionsFlags } from "../sessions.ts";
import { type Command, type CommandContext, localSetupOf, TERMINAL } from "./context.ts";
import { interruptible } from "./interruptible.ts";

const HELP = `
A session is in one state: uploaded, pending (it goes with the next run), skipped (by the
filter that is named, or forgotten) or failing. It works before the plugin is configured.

Examples:
  openclaw influxion sessions --pending --failing
  openclaw influxion sessions --skipped --agent main
  openclaw influxion sync --session <id, key or label>

Exit codes:
  0    all listed
  1    usage or config error, or a ledger that cannot be used
  2    something could not be looked at, so that there may be more
  130  interrupted
`;

export function addSessions(influxion: Command, context: CommandContext): void {
  influxion
    .command("sessions")
    .description("List every session with its state and why; no network, nothing is recorded")
    .option("--pending", "those that wait for the next run")
    .option("--skipped", "those that a filter excludes, or that are forgotten")
    .option("--failing", "those that cannot be sent, with the reason")
    .option("--uploaded", "those of which everything was sent")
    .option("--agent <name>", "only this agent's sessions")
    .option("--json", "print one JSON document")
    .addHelpText("after", HELP)
    .action(async (flags: SessionsFlags) => {
      const [{ sessions }, setup] = await Promise.all([
        import("../sessions.ts"),
        localSetupOf(context),
      ]);
      await interruptible(async (signal) => {
        const how = { signal, now: Date.now };
        process.exitCode = await sessions({ setup, flags, context: how, terminal: TERMINAL });
      });
    });
}
