import type { ForgetFlags } from "../forget.ts";
import { type Command, type CommandContext, setupOf, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

const FORGET_HELP = `
What is forgotten is what there is now. To keep new sessions here as well, use
filter.agents.deny and filter.sessions.deny.

Examples:
  openclaw influxion forget --session agent:main:tmp-x
  openclaw influxion forget --agent scratch --remote
  openclaw influxion forget --undo --session main/7f3c
${EXIT_CODES}`;

export function addForget(influxion: Command, context: CommandContext): void {
  influxion
    .command("forget")
    .description("Never send sessions again and, with --remote, have the API delete them")
    .option("--session <name...>", "these sessions, each by id, key, label or <agent>/<id>")
    .option("--agent <name>", "all sessions of this agent that there are now")
    .option("--all", "all sessions that there are now")
    .option("--remote", "also ask the API to delete what it has of them")
    .option("--undo", "send them again, from their beginning")
    .option("--yes", "do not ask first")
    .option("--json", "print one JSON document")
    .addHelpText("after", FORGET_HELP)
    .action(async (flags: ForgetFlags) => {
      const [{ forget }, { asker }, { resolveApiKey, hostProxyOf }, setup] = await Promise.all([
        import("../forget.ts"),
        import("../confirm.ts"),
        import("../../openclaw/host.ts"),
        setupOf(context),
      ]);
      await interruptible(async (signal) => {
        process.exitCode = await forget({
          setup,
          flags,
          context: { signal, now: Date.now, random: Math.random },
          apiKey: (key) => resolveApiKey(key, context.hostConfig),
          proxy: hostProxyOf(context.hostConfig),
          ask: asker({ input: process.stdin, output: process.stderr }),
          terminal: TERMINAL,
        });
      });
    });
}
