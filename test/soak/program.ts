import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ChildMessage, ChildOptions } from "./child-options.ts";

/** Longest time from the start of a child to its first run, in ms. */
const START_MS = 20_000;

/** What children tell while they live. */
export interface Told {
  /** How runs ended, by outcome. */
  readonly outcomes: Record<string, number>;
  /** Runs that ended in a way that none of the plugin's own errors stands for. */
  readonly crashes: string[];
}

/** A running child; `ready` is when its first run begins. */
export interface Child extends AsyncDisposable {
  readonly ready: Promise<unknown>;
  /** Kills it (SIGKILL) and waits until it is gone. */
  kill(): Promise<void>;
}

export function startChild(
  options: ChildOptions,
  told: Told,
  onRun: (outcome: string) => void = () => undefined,
): Child {
  const path = fileURLToPath(new URL("./child.ts", import.meta.url));
  const child = fork(path, [JSON.stringify(options)], {
    execArgv: [],
    stdio: "pipe",
    // Compiled once, not with every child.
    env: { ...process.env, NODE_COMPILE_CACHE: options.cacheDir },
  });
  const closed = once(child, "close");
  let onReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  let killed = false;
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-2000);
  });
  child.on("message", (message: ChildMessage) => {
    if (message.kind === "ready") onReady();
    if (message.kind === "crash") told.crashes.push(`a run crashed: ${message.error}`);
    if (message.kind === "run") {
      told.outcomes[message.outcome] = (told.outcomes[message.outcome] ?? 0) + 1;
      onRun(message.outcome);
    }
  });
  child.once("close", () => {
    onReady();
    if (!killed) told.crashes.push(`the program ended by itself: ${errors}`);
  });
  const kill = async (): Promise<void> => {
    killed = true;
    end(child);
    await closed;
  };
  const late = sleep(START_MS, undefined, { ref: false });
  return { ready: Promise.race([ready, late]), kill, [Symbol.asyncDispose]: kill };
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
}
