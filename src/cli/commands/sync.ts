import type { SyncFlags } from "../sync.ts";
import { type Command, type CommandContext, localSetupOf, setupOf, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

export function addSync(influxion: Command, context: CommandContext): void {
  influxion
    .command("sync")
    .description("Upload what is new, now")
    .option("--dry-run", "list exactly what would be sent; no network, nothing is recorded")
    .option("--all", "go on until nothing is waiting, past the limits of one run")
    .option("--agent <name>", "only this agent's sessions")
    .option("--session <name>", "only this one, by id, key or label; also one that is put aside")
    .option("--force", "also while uploads are paused")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  openclaw influxion sync
  openclaw influxion sync --agent main --dry-run
  openclaw influxion sync --session agent:main:main
  openclaw influxion sync --all --json
${EXIT_CODES}`,
    )
    .action(async (flags: SyncFlags) => {
      const [{ sync }, { WorkerRunner }, { handOver }, { resolveSecrets, hostProxyOf }, setup] =
        await Promise.all([
          import("../sync.ts"),
          import("../../run/worker-runner.ts"),
          import("../../openclaw/hand-over.ts"),
          import("../../openclaw/host.ts"),
          flags.dryRun === true ? localSetupOf(context) : setupOf(context),
        ]);
      await interruptible(async (signal) => {
        await using runner = new WorkerRunner();
        process.exitCode = await sync({
          setup,
          flags,
          context: { signal, now: Date.now, random: Math.random },
          secrets: (config, needsKey) => resolveSecrets(config, context.hostConfig, needsKey),
          proxy: hostProxyOf(context.hostConfig),
          run: (options) => runner.run(options),
          handOver: (options) => handOver(options),
          terminal: TERMINAL,
        });
      });
    });
}
