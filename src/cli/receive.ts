import { runPostgresReceiver } from "../receiver/postgres/run.ts";
import { runReceiver } from "../receiver/run.ts";
import { plain } from "../shared/text.ts";
import { describeFailure } from "./exit.ts";
import {
  type Environment,
  givenKeyOf,
  placeOf,
  type ReceiveFlags,
  serveOptionsOf,
  UsageError,
} from "./receiver/flags.ts";
import type { Terminal } from "./terminal.ts";

export interface ReceiveOptions extends ReceiveFlags {
  /** Environment variables. */
  readonly env: Environment;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  /** Calls back when the files of the certificate are to be read again. @default never */
  readonly onHangup?: ((listener: () => void) => void) | undefined;
}

/** `openclaw influxion receive`. Returns the exit code: 0 after Ctrl-C or when nobody reads the output any more, 1 when it cannot start. */
export async function receive(options: ReceiveOptions): Promise<number> {
  const { signal, terminal } = options;
  const unread = new AbortController();
  // Whoever read the output is gone (`receive | head`), and with that the user.
  terminal.out.on("error", () => unread.abort());
  try {
    await run(options, AbortSignal.any([signal, unread.signal]));
    return 0;
  } catch (error) {
    const message = error instanceof UsageError ? error.message : describeFailure(error).message;
    terminal.err.write(`${plain(message)}\n`);
    return 1;
  }
}

async function run(options: ReceiveOptions, signal: AbortSignal): Promise<void> {
  const { env, terminal, onHangup } = options;
  const serve = serveOptionsOf(options);
  const place = placeOf(options, env);
  const common = {
    ...serve,
    givenKey: givenKeyOf(options, env),
    signal,
    write: (text: string) => terminal.out.write(text),
    onHangup,
  };
  if (place.kind === "files") await runReceiver({ ...common, dir: place.dir });
  else await runPostgresReceiver({ ...common, ...place });
}
