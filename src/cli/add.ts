import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { LocalConfig } from "../config/config.ts";
import type { HostConfig } from "../openclaw/host.ts";
import type { ForgetFlags } from "./forget.ts";
import type { PreviewFlags } from "./preview.ts";
import type { ReceiveFlags } from "./receiver/flags.ts";
import type { ScanFlags } from "./scan.ts";
import type { Setup } from "./setup.ts";
import type { StatusFlags } from "./status.ts";
import type { SyncFlags } from "./sync.ts";
import type { Terminal } from "./terminal.ts";

type Program = Parameters<Parameters<OpenClawPluginApi["registerCli"]>[0]>[0]["program"];
type Command = ReturnType<Program["command"]>;

export interface CommandContext {
  readonly hostConfig: HostConfig;
  readonly pluginConfig: () => unknown;
  /** The host's state directory; ask only inside of a command. */
  readonly stateDir: () => string;
}

/** Word for word those of the README. */
export const EXIT_CODES = `
Exit codes:
  0    all done
  1    usage or config error, a ledger that cannot be used, or an unexpected failure
  2    some sessions failed, or the run was aborted; what was sent before counts
  3    the API refused or could not be reached, or another process is uploading
  4    scan found credentials
  130  interrupted
`;

const PREVIEW_HELP = `
It shows everything that is not sent yet and that filters let through, after the content
level and redaction. It works before the plugin is configured: what is missing is then
shown as "<deploymentId>" and "<projectId>".

Examples:
  openclaw influxion preview
  openclaw influxion preview --session agent:main:main --limit all
  openclaw influxion preview --json > lines.ndjson
${EXIT_CODES}`;

const SCAN_HELP = `
It reads sessions from their beginnings, whatever was sent of them, and names agent,
session, line and rule; of a credential it shows a few characters. "sent" means that the
line was sent: what redaction finds was replaced in it, if that was there and on then.

Examples:
  openclaw influxion scan
  openclaw influxion scan --all --json
${EXIT_CODES}`;

const FORGET_HELP = `
What is forgotten is what there is now. To keep new sessions here as well, use
filter.agents.deny and filter.sessions.deny.

Examples:
  openclaw influxion forget --session agent:main:tmp-x
  openclaw influxion forget --agent scratch --remote
  openclaw influxion forget --undo --session main/7f3c
${EXIT_CODES}`;

const RECEIVE_HELP = `
Other users of this machine can see --key and --store in the list of processes (ps). Set the
environment variables INFLUXION_RECEIVER_KEY and INFLUXION_RECEIVER_STORE instead; the flags
win over them.

For several receivers on one PostgreSQL, see docs/self-hosting.md.

Example:
  openclaw influxion receive --dir ./received
`;

/** Adds `openclaw influxion …`. The commands' own code is loaded when one of them runs. */
export function addCommands(program: Program, context: CommandContext): void {
  const influxion = program
    .command("influxion")
    .description("Upload session transcripts to Influxion, and see what has been uploaded")
    .addHelpText(
      "after",
      `
Examples:
  openclaw influxion status            what is uploaded, waiting, skipped and failing
  openclaw influxion sync --dry-run    what would be sent, without sending it
  openclaw influxion preview           the very lines that would be sent
  openclaw influxion scan              credentials in transcripts, sent or not
  openclaw influxion sync --all        send everything now
  openclaw influxion forget --session <name> --remote
                                       never send it again, and delete what was sent
  openclaw influxion receive           try it without an API key, on this machine
`,
    );

  addStatus(influxion, context);
  addSync(influxion, context);
  addPreview(influxion, context);
  addScan(influxion, context);
  addForget(influxion, context);
  addReceive(influxion);
}

async function setupOf({ stateDir, hostConfig, pluginConfig }: CommandContext): Promise<Setup> {
  const [{ readConfig }, { readLayout }] = await Promise.all([
    import("../config/config.ts"),
    import("../stores/layout.ts"),
  ]);
  return {
    stateDir: stateDir(),
    layout: readLayout(hostConfig),
    config: readConfig(pluginConfig()),
  };
}

/** For commands that work before the plugin is configured. */
async function localSetupOf(
  context: CommandContext,
): Promise<Setup & Pick<LocalConfig, "missing">> {
  const { readLocalConfig } = await import("../config/config.ts");
  return { ...(await setupOf(context)), ...readLocalConfig(context.pluginConfig()) };
}

function addStatus(influxion: Command, context: CommandContext): void {
  influxion
    .command("status")
    .description(
      "Show config, last run and what is uploaded, waiting, skipped and failing; no network call",
    )
    .option("--json", "print one JSON document")
    .option("--verbose", "show every agent and every failing session")
    .addHelpText("after", "\nExample:\n  openclaw influxion status --verbose\n")
    .action(async (flags: StatusFlags) => {
      const [{ status }, setup] = await Promise.all([import("./status.ts"), setupOf(context)]);
      process.exitCode = await status({ setup, flags, terminal: TERMINAL, now: Date.now });
    });
}

function addSync(influxion: Command, context: CommandContext): void {
  influxion
    .command("sync")
    .description("Upload what is new, now")
    .option("--dry-run", "list exactly what would be sent; no network, nothing is recorded")
    .option("--all", "go on until nothing is waiting, past the limits of one run")
    .option("--agent <name>", "only this agent's sessions")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  openclaw influxion sync
  openclaw influxion sync --agent main --dry-run
  openclaw influxion sync --all --json
${EXIT_CODES}`,
    )
    .action(async (flags: SyncFlags) => {
      const [{ sync }, { WorkerRunner }, { resolveSecrets, hostProxyOf }, setup] =
        await Promise.all([
          import("./sync.ts"),
          import("../run/worker-runner.ts"),
          import("../openclaw/host.ts"),
          setupOf(context),
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
          terminal: TERMINAL,
        });
      });
    });
}

function addPreview(influxion: Command, context: CommandContext): void {
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
        import("./preview.ts"),
        import("../openclaw/host.ts"),
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

function addScan(influxion: Command, context: CommandContext): void {
  influxion
    .command("scan")
    .description("Look for credentials in all transcripts; no network, nothing is recorded")
    .option("--agent <name>", "only this agent's sessions")
    .option("--all", "also agents and sessions that filters exclude")
    .option("--json", "print one JSON document")
    .addHelpText("after", SCAN_HELP)
    .action(async (flags: ScanFlags) => {
      const [{ scan }, { resolveSecrets }, setup] = await Promise.all([
        import("./scan.ts"),
        import("../openclaw/host.ts"),
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

function addForget(influxion: Command, context: CommandContext): void {
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
        import("./forget.ts"),
        import("./confirm.ts"),
        import("../openclaw/host.ts"),
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

function addReceive(influxion: Command): void {
  influxion
    .command("receive")
    .description("Receive uploads on this machine, to see exactly what is sent")
    .option("--port <number>", "port; 0 picks a free one", "8787")
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--dir <folder>", "where to keep what is received (default: influxion-received)")
    .option("--key <key>", "API key to accept (default: one that is made and kept in the folder)")
    .option("--store <url>", "keep it in PostgreSQL: postgres://user@host/database")
    .option("--migrate", "make the tables of the store, or bring them up to date, first")
    .option("--keep <days>", "remove lines from the store that are older, e.g. 90d")
    .option("--pool <number>", "connections to the store (default: 10)")
    .option("--in-flight <number>", "parts to take at a time; more are answered with 503")
    .option("--rate-per-key <number>", "parts to take in a second from each key; more: 429")
    .option("--tls-cert <file>", "speak https with this certificate (PEM)")
    .option("--tls-key <file>", "the certificate's key (PEM)")
    .addHelpText("after", RECEIVE_HELP)
    .action(async (flags: ReceiveFlags) => {
      const { receive } = await import("./receive.ts");
      await interruptible(async (signal) => {
        process.exitCode = await receive({
          ...flags,
          env: process.env,
          signal,
          terminal: TERMINAL,
          onHangup: (listener) => process.on("SIGHUP", listener),
        });
      });
    });
}

const TERMINAL: Terminal = { out: process.stdout, err: process.stderr };

/** Ctrl-C ends the work in an orderly way; a second one ends the process as usual. */
async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    await work(abort.signal);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}
