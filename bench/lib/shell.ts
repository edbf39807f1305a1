import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface ShellResult {
  readonly cpuMs: number;
  readonly wireBytes: number;
}

export function isOnPath(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" }).status === 0;
}

/** Runs a command line and returns the CPU of all its processes in ms, as the shell counts it. */
export async function runShell(command: string): Promise<number> {
  const child = spawn("sh", ["-c", `${command} && times`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  // POSIX: user and system time of the shell, and on the last line of its children, as 0m0.00s.
  const last = output.trim().split("\n").at(-1) ?? "";
  const times = [...last.matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce((sum, [, minutes, seconds]) => {
    return sum + (Number(minutes) * 60 + Number(seconds)) * 1000;
  }, 0);
}
