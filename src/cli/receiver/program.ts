import { parseArgs } from "node:util";
import { plain } from "../../shared/text.ts";
import { describeFailure } from "../exit.ts";
import { receive } from "../receive.ts";
import { type Call, type Command, type Flags, textOf } from "./command.ts";
import { allowCommand, deleteCommand } from "./delete.ts";
import { exportCommand } from "./export.ts";
import { UsageError } from "./flags.ts";
import { keysCommand } from "./keys.ts";
import { migrateCommand, pruneCommand } from "./store.ts";

const receiveCommand: Command = {
  usage: `[receive] [--port <number>] [--host <address>] [--key <key>]
       (--dir <folder> | --store <url> [--migrate] [--keep <days>] [--pool <number>])
       [--in-flight <number>] [--rate-per-key <number>] [--tls-cert <file> --tls-key <file>]`,
  options: {
    port: { type: "string" },
    host: { type: "string" },
    dir: { type: "string" },
    key: { type: "string" },
    store: { type: "string" },
    migrate: { type: "boolean" },
    keep: { type: "string" },
    pool: { type: "string" },
    "in-flight": { type: "string" },
    "rate-per-key": { type: "string" },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
  },
  run: ({ flags, env, terminal, signal }) =>
    receive({
      port: textOf(flags, "port") ?? "8787",
      host: textOf(flags, "host"),
      dir: textOf(flags, "dir"),
      key: textOf(flags, "key"),
      store: textOf(flags, "store"),
      migrate: flags.migrate === true ? true : undefined,
      keep: textOf(flags, "keep"),
      pool: textOf(flags, "pool"),
      inFlight: textOf(flags, "inFlight"),
      ratePerKey: textOf(flags, "ratePerKey"),
      tlsCert: textOf(flags, "tlsCert"),
      tlsKey: textOf(flags, "tlsKey"),
      env,
      terminal,
      signal,
      onHangup: (listener) => process.on("SIGHUP", listener),
    }),
};

const COMMANDS: Readonly<Record<string, Command>> = {
  receive: receiveCommand,
  migrate: migrateCommand,
  keys: keysCommand,
  export: exportCommand,
  prune: pruneCommand,
  delete: deleteCommand,
  allow: allowCommand,
};

const HELP = `Receives session transcripts, without OpenClaw.

Usage:
${Object.values(COMMANDS)
  .flatMap(({ usage }) => usage.split("\n"))
  .map((line) => (line.startsWith(" ") ? `  ${line}` : `  influxion-receive ${line}`))
  .join("\n")}

All but receive need --store postgres://user@host/database. Other users of this machine can see
flags in the list of processes; the environment variables INFLUXION_RECEIVER_STORE and
INFLUXION_RECEIVER_KEY do for --store and --key. See docs/self-hosting.md.
`;

/** Runs `influxion-receive` with the words behind its name. Returns the exit code: 0, or 1 with a sentence. */
export async function runCommand(
  args: readonly string[],
  context: Omit<Call, "flags" | "words">,
): Promise<number> {
  const { out, err } = context.terminal;
  try {
    if (args.includes("--help") || args[0] === "help") {
      out.write(HELP);
      return 0;
    }
    const [first] = args;
    const named = first !== undefined && !first.startsWith("-");
    const command = COMMANDS[named ? first : "receive"];
    if (command === undefined) throw new UsageError(`no command ${first}; see --help`);
    return await command.run({ ...context, ...parse(args.slice(named ? 1 : 0), command) });
  } catch (error) {
    const message = error instanceof UsageError ? error.message : describeFailure(error).message;
    err.write(`${plain(message)}\n`);
    return 1;
  }
}

/** @throws {UsageError} for what the command does not have */
function parse(args: readonly string[], { options }: Command): Pick<Call, "flags" | "words"> {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const flags = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [camelCase(name), value]),
    );
    return { flags: flags as Flags, words: positionals };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`${reason}; see --help`);
  }
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
