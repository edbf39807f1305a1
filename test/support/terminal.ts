import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { spawn } from "@lydell/node-pty";

/** A program on a terminal, and somebody at its keyboard. */
export interface Terminal extends Disposable {
  /**
   * Waits until the program has written this, after what was waited for before.
   * @throws when it ends without, or takes too long; the message holds what it wrote last
   */
  shows(text: string): Promise<void>;
  type(keys: string): void;
  /** Waits for the program's end. @returns its exit code */
  ended(): Promise<number>;
}

export const ENTER = "\r";

const SIZE = { cols: 80, rows: 50 };

/** Longer than a command of the host takes on a busy machine. */
const TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** Starts a program on a terminal of its own; at the end of the scope it is ended. */
export function startInTerminal(
  file: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Terminal {
  const pty = spawn(file, [...args], { ...options, ...SIZE, name: "xterm" });
  let written = "";
  let exitCode: number | undefined;
  let seen = 0;
  pty.onData((data) => {
    written += data;
  });
  pty.onExit((exit) => {
    exitCode = exit.exitCode;
  });
  const text = (): string => stripVTControlCharacters(written);

  /** Waits for something that is undefined until then. */
  const waitFor = async <T>(look: () => T | undefined, what: string): Promise<T> => {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const hasEnded = exitCode !== undefined;
      const found = look();
      if (found !== undefined) return found;
      if (hasEnded || Date.now() > deadline) {
        const when = hasEnded ? "before the program ended" : `within ${TIMEOUT_MS} ms`;
        throw new Error(`no ${what} ${when}; its last lines:\n${text().slice(-2000)}`);
      }
      await sleep(POLL_MS);
    }
  };
  return {
    async shows(wanted) {
      const at = (): number | undefined => {
        const index = text().indexOf(wanted, seen);
        return index === -1 ? undefined : index;
      };
      seen = (await waitFor(at, `"${wanted}"`)) + wanted.length;
    },
    type: (keys) => pty.write(keys),
    ended: () => waitFor(() => exitCode, "end"),
    [Symbol.dispose]() {
      if (exitCode === undefined) pty.kill("SIGKILL");
    },
  };
}
