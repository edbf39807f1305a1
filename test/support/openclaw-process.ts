import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { OpenClawHost } from "./openclaw-host.ts";

export type HostProcess = ChildProcessByStdio<null, Readable, Readable>;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What would carry the test runner or the user's own OpenClaw into the host. */
const FOREIGN =
  /^(OPENCLAW_|VITEST|NODE_(ENV|OPTIONS)$|npm_(config_(?!registry|cache$|prefer_offline$)|lifecycle_|package_))/i;

/** Keeps a Gateway from everything that a test has no use for. */
const LEAN = [
  "OPENCLAW_SKIP_CHANNELS",
  "OPENCLAW_SKIP_CRON",
  "OPENCLAW_SKIP_GMAIL_WATCHER",
  "OPENCLAW_SKIP_CANVAS_HOST",
  "OPENCLAW_SKIP_BROWSER_CONTROL_SERVER",
  "OPENCLAW_SKIP_PROVIDERS",
  "OPENCLAW_SKIP_STARTUP_MODEL_PREWARM",
  "OPENCLAW_DISABLE_BONJOUR",
  "OPENCLAW_NO_AUTO_UPDATE",
  "OPENCLAW_NO_RESPAWN",
];

/** An environment in which the host sees nothing of the machine's own OpenClaw. */
export function hostEnvironment(own: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  const lean = LEAN.map((name) => [name, "1"] as const);
  return { ...Object.fromEntries([...inherited, ...lean]), NO_COLOR: "1", ...own };
}

export function spawnHost(
  host: OpenClawHost,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): HostProcess {
  return spawn(process.execPath, [host.entry, ...args], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that what it has started can be ended with it.
    detached: process.platform !== "win32",
  });
}

/**
 * Waits for a command to end; one that hangs is ended and shows as `code: null`.
 * @param onStderr told all of stderr so far, whenever it grows
 */
export async function finish(
  child: HostProcess,
  timeoutMs: number,
  onStderr?: (soFar: string) => void,
): Promise<CliResult> {
  const timeout = new AbortController();
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr, onStderr),
    once(child, "close") as Promise<[number | null]>,
    sleep(timeoutMs, undefined, { signal: timeout.signal }).then(
      () => kill(child),
      () => undefined,
    ),
    once(child, "exit").then(() => timeout.abort()),
  ]);
  return { code, stdout, stderr };
}

async function textOf(stream: Readable, onText?: (soFar: string) => void): Promise<string> {
  let soFar = "";
  for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) {
    soFar += chunk;
    onText?.(soFar);
  }
  return soFar;
}

/** Asks the process to end, and ends it when it does not. Resolves when it is gone. */
export async function terminate(child: HostProcess, graceMs = 20_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => kill(child), graceMs);
  await exited;
  clearTimeout(timer);
}

/** Ends a process and its children. */
function kill(child: HostProcess): void {
  if (child.pid === undefined || process.platform === "win32") child.kill("SIGKILL");
  else process.kill(-child.pid, "SIGKILL");
}
