import { isSendableKey } from "../config/config.ts";
import { KEY_VARIABLE } from "../receiver/key.ts";
import { type GivenKey, runReceiver } from "../receiver/run.ts";
import { plain } from "../shared/text.ts";
import { describeFailure } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

export interface ReceiveOptions {
  readonly port: string;
  readonly dir?: string;
  readonly key?: string;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** `openclaw influxion receive`. Returns the exit code: 0 after Ctrl-C or when nobody reads the output any more, 1 when it cannot start. */
export async function receive(options: ReceiveOptions): Promise<number> {
  const { port, dir, signal, terminal } = options;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN;
  if (!(number <= 65_535)) {
    terminal.err.write(`--port: found "${plain(port)}", expected a whole number from 0 to 65535\n`);
    return 1;
  }
  if (dir === "") {
    terminal.err.write("--dir: expected the path of a folder\n");
    return 1;
  }
  const givenKey = givenKeyOf(options);
  if (givenKey !== undefined && !isSendableKey(givenKey.value)) {
    terminal.err.write(
      `${givenKey.origin}: expected ASCII characters without spaces or line breaks; without it the receiver makes a key and keeps it\n`,
    );
    return 1;
  }
  const unread = new AbortController();
  // Whoever read the output is gone (`receive | head`), and with that the user.
  terminal.out.on("error", () => unread.abort());
  try {
    await runReceiver({
      dir: dir ?? "influxion-received",
      port: number,
      givenKey,
      signal: AbortSignal.any([signal, unread.signal]),
      write: (text) => terminal.out.write(text),
    });
    return 0;
  } catch (error) {
    terminal.err.write(`${plain(describeFailure(error).message)}\n`);
    return 1;
  }
}

/** The flag wins over the environment, where an empty value is none. */
function givenKeyOf({ key, env }: ReceiveOptions): GivenKey | undefined {
  if (key !== undefined) return { value: key, origin: "--key" };
  const value = env[KEY_VARIABLE] ?? "";
  return value === "" ? undefined : { value, origin: KEY_VARIABLE };
}
