import { isSendableKey } from "../config.ts";
import { runReceiver } from "../receiver/run.ts";
import { plain } from "../text.ts";
import { describeFailure } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

export interface ReceiveOptions {
  readonly port: string;
  readonly dir?: string;
  readonly key?: string;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** `openclaw influxion receive`. Returns the exit code: 0 after Ctrl-C, 1 when it cannot start. */
export async function receive({
  port,
  dir,
  key,
  signal,
  terminal,
}: ReceiveOptions): Promise<number> {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN;
  if (!(number <= 65_535)) {
    terminal.err.write(`--port: found "${plain(port)}", expected a whole number from 0 to 65535\n`);
    return 1;
  }
  if (key !== undefined && !isSendableKey(key)) {
    terminal.err.write(
      "--key: expected ASCII characters without spaces or line breaks, or no --key for a random one\n",
    );
    return 1;
  }
  try {
    await runReceiver({
      dir: dir ?? "influxion-received",
      port: number,
      ...(key === undefined ? {} : { key }),
      signal,
      write: (text) => terminal.out.write(text),
    });
    return 0;
  } catch (error) {
    terminal.err.write(`${plain(describeFailure(error).message)}\n`);
    return 1;
  }
}
