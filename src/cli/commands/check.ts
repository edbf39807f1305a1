import type { CheckFlags } from "../check.ts";
import { type Command, type CommandContext, setupOf, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

const CHECK_HELP = `
It looks at config, secrets, transcripts, ledger and lock, asks the API whether
it would take uploads with this key, by the way that uploads go and without a
line of any session, and looks whether the Gateway runs. "?" is what cannot be
known from here.

Examples:
  openclaw influxion check
  openclaw influxion check --json
${EXIT_CODES}`;

export function addCheck(influxion: Command, context: CommandContext): void {
  influxion
    .command("check")
    .description("Find out whether this installation can deliver; nothing is uploaded or recorded")
    .option("--offline", "ask nobody: neither the API nor the Gateway")
    .option("--json", "print one JSON document")
    .addHelpText("after", CHECK_HELP)
    .action(async (flags: CheckFlags) => {
      const [{ check }, { resolveSecrets, hostProxyOf }, { probeGateway }, setup] =
        await Promise.all([
          import("../check.ts"),
          import("../../openclaw/host.ts"),
          import("../../openclaw/gateway-probe.ts"),
          setupOf(context),
        ]);
      await interruptible(async (signal) => {
        process.exitCode = await check({
          setup,
          flags,
          secrets: (config) => resolveSecrets(config, context.hostConfig),
          proxy: hostProxyOf(context.hostConfig),
          gateway: (stop) => probeGateway(context.hostConfig, stop),
          signal,
          now: Date.now,
          terminal: TERMINAL,
        });
      });
    });
}
