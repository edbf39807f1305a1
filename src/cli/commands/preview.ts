import type { PreviewFlags } from "../preview.ts";
import { type Command, type CommandContext, localSetupOf, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

const PREVIEW_HELP = `
It shows everything that is not sent yet and that filters let through, after the content
level and redaction. It works before the plugin is configured: what is missing is then
shown as "<deploymentId>" and "<projectId>".

Examples:
  openclaw influxion preview
  openclaw influxion preview --session agent:main:main --limit all
  openclaw influxion preview --json > lines.ndjson
${EXIT_CODES}`;

export function addPreview(influxion: Command, context: CommandContext): void {
  influxion
    .command("preview")
    .description("Show the lines that would leave this machine; no network, nothing is recorded")
    .option("--agent <name>", "only this agent's sessions")
    .option("--session <name>", "only the session with this id, key or label")
    .option("--limit <lines>", 'how many lines, or "all" (default: 50 on a terminal, else all)')
    .option("--show-redacted", "show what is redacted, masked; on a terminal only")
    .option("--json", "print the lines byte for byte as they would be sent (NDJSON)")
    .addHelpText("after", PREVIEW_HELP)
    .action(async (flags: PreviewFlags) => {
      const [{ preview }, { resolveSecrets }, setup] = await Promise.all([
        import("../preview.ts"),
        import("../../openclaw/host.ts"),
        localSetupOf(context),
      ]);
      await interruptible(async (signal) => {
        process.exitCode = await preview({
          setup,
          flags,
          context: { signal, now: Date.now },
          secrets: (config, needsKey) => resolveSecrets(config, context.hostConfig, needsKey),
          terminal: TERMINAL,
        });
      });
    });
}
