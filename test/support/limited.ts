import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface Ended {
  /** Null when it had to be ended. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a program of `test/support` in a process of its own, which is ended after `ms`:
 * for what would hang the process that it happens in.
 */
export async function runLimited(
  program: string,
  args: readonly string[],
  ms = 20_000,
): Promise<Ended> {
  const path = new URL(`./${program}`, import.meta.url).pathname;
  try {
    const ended = await promisify(execFile)(process.execPath, [path, ...args], {
      timeout: ms,
      killSignal: "SIGKILL",
    });
    return { code: 0, out: ended.stdout, err: ended.stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    return { code: typeof code === "number" ? code : null, out: stdout, err: stderr };
  }
}
