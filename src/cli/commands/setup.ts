import type { SetupFlags } from "../setup.ts";
import { type Command, type CommandContext, TERMINAL } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { interruptible } from "./interruptible.ts";

const SETUP_HELP = `
It asks for what flags do not say, shows what would go, how much and to whom,
and changes OpenClaw's config once you have said yes; then it checks. Run it
again to change something. Other users of this machine can see a command line
(ps), so the key is never a part of it.

Examples:
  openclaw influxion setup
  openclaw influxion setup --project p-1 --api-key-env INFLUXION_API_KEY --yes
  openclaw influxion setup --project p-1 --api-key-stdin --yes < key.txt
  openclaw influxion setup --every 0          upload by hand only
${EXIT_CODES}`;

export function addSetup(influxion: Command, context: CommandContext): void {
  influxion
    .command("setup")
    .description("Set up uploads: asks, shows what would go, and writes OpenClaw's config")
    .option("--project <id>", "the project that receives the sessions")
    .option("--deployment <name>", "a name for this machine (default: from its host name)")
    .option("--api-key-stdin", "read the API key from stdin")
    .option("--api-key-env <name>", "refer to the environment variable that has the API key")
    .option("--ref-source <source>", "refer to a secret of OpenClaw: env, file, exec or store")
    .option("--ref-provider <name>", "the reference's provider (default: default)")
    .option("--ref-id <id>", "the reference's id")
    .option("--api-url <url>", "where to send")
    .option("--every <interval>", 'time between uploads, e.g. "15m"; 0: by hand only')
    .option("--advanced", "also ask where to send")
    .option("--fix", "remove options with wrong values, so that their defaults count")
    .option("--yes", "do not ask before the config is written")
    .addHelpText("after", SETUP_HELP)
    .action(async (flags: SetupFlags) => {
      await interruptible(async (signal) => {
        process.exitCode = await runSetup(context, flags, signal);
      });
    });
}

async function runSetup(
  context: CommandContext,
  flags: SetupFlags,
  signal: AbortSignal,
): Promise<number> {
  const [command, { asker }, { prompterOn }, host, file, { probeGateway }, layout, { text }] =
    await Promise.all([
      import("../setup.ts"),
      import("../confirm.ts"),
      import("../setup/prompter.ts"),
      import("../../openclaw/host.ts"),
      import("../../openclaw/config-file.ts"),
      import("../../openclaw/gateway-probe.ts"),
      import("../../stores/layout.ts"),
      import("node:stream/consumers"),
    ]);
  const { hostConfig } = context;
  const terminal = { input: process.stdin, output: process.stderr };
  return await command.setup({
    stateDir: context.stateDir(),
    layout: layout.readLayout(hostConfig),
    present: context.pluginConfig(),
    flags,
    prompter: flags.yes === true ? null : prompterOn(terminal, signal),
    ask: asker(terminal),
    readInput: () => text(process.stdin),
    write: file.configWriter(context.configFile()),
    secrets: (config) => host.resolveSecrets(config, hostConfig),
    proxy: host.hostProxyOf(hostConfig),
    gateway: (stop) => probeGateway(hostConfig, stop),
    env: process.env,
    signal,
    now: Date.now,
    terminal: TERMINAL,
  });
}
