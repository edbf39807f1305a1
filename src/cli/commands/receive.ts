import type { ReceiveFlags } from "../receiver/flags.ts";
import { type Command, TERMINAL } from "./context.ts";
import { interruptible } from "./interruptible.ts";

const RECEIVE_HELP = `
Other users of this machine can see --key and --store in the list of processes (ps). Set the
environment variables INFLUXION_RECEIVER_KEY and INFLUXION_RECEIVER_STORE instead; the flags
win over them.

For several receivers on one PostgreSQL, see docs/self-hosting.md.

Example:
  openclaw influxion receive --dir ./received
`;

export function addReceive(influxion: Command): void {
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
      const { receive } = await import("../receive.ts");
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
