import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Registry } from "./registry.ts";

/** Reading takes no longer, in ms, or the thread is ended: a disk that does not answer is for the run to report. */
const READ_MS = 10_000;

/** Heap of the thread, in MB: it holds a list of paths. */
const HEAP_MB = 32;

/** Beside this module, as source or built. */
const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "./registry-worker.ts" : "./registry-worker.js",
  import.meta.url,
);

/**
 * The registry, read on a thread of its own: on the Gateway's no database is opened. That costs some 50 ms of CPU,
 * a sixth of what the thread of a whole run costs.
 *
 * @throws {Error} when the thread fails or takes too long
 */
export async function readRegistryInThread(
  stateDir: string,
  signal: AbortSignal,
): Promise<Registry> {
  const worker = new Worker(PROGRAM, {
    workerData: stateDir,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  // One that comes when nobody waits any more would end the Gateway.
  worker.on("error", () => undefined);
  try {
    const limits = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]);
    const [registry] = await once(worker, "message", { signal: limits });
    return registry as Registry;
  } finally {
    // A thread inside of a system call ends after that; whatever it waits for, this process need not.
    worker.unref();
    void worker.terminate();
  }
}
