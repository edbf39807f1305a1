import { InfluxionError } from "../problem.ts";
import { runReceiver } from "../receiver/run.ts";
import { plain } from "../text.ts";
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
  const number = Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    terminal.err.write(`--port: found ${plain(port)}, expected a whole number from 0 to 65535\n`);
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
    if (!(error instanceof InfluxionError)) throw error;
    terminal.err.write(`${plain(error.message)}\n`);
    return 1;
  }
}
