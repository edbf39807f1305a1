import type { ScanFlags } from "../scan.ts";
import { type Command, type CommandContext, localSetupOf, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

const SCAN_HELP = `
It reads sessions from their beginnings, whatever was sent of them, and names agent,
session, line and rule; of a credential it shows a few characters. "sent" means that the
line was sent: what redaction finds was replaced in it, if that was there and on then.

Examples:
  openclaw influxion scan
  openclaw influxion scan --all --json
${EXIT_CODES}`;

export function addScan(influxion: Command, context: CommandContext): void {
  influxion
    .command("scan")
    .description("Look for credentials in all transcripts; no network, nothing is recorded")
    .option("--agent <name>", "only this agent's sessions")
    .option("--all", "also agents and sessions that filters exclude")
    .option("--json", "print one JSON document")
    .addHelpText("after", SCAN_HELP)
    .action(async (flags: ScanFlags) => {
      const [{ scan }, { resolveSecrets }, setup] = await Promise.all([
        import("../scan.ts"),
        import("../../openclaw/host.ts"),
        localSetupOf(context),
      ]);
      await interruptible(async (signal) => {
        process.exitCode = await scan({
          setup,
          flags,
          context: { signal, now: Date.now },
          secrets: (config, needsKey) => resolveSecrets(config, context.hostConfig, needsKey),
          terminal: TERMINAL,
        });
      });
    });
}
