import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { threadProgram } from "../../shared/program.ts";
import type { Registry } from "./registry.ts";

/** Reading takes no longer, in ms, or the thread is ended: a disk that does not answer is for the run to report. */
const READ_MS = 10_000;

/** Heap of the thread, in MB: it holds a list of paths. */
const HEAP_MB = 32;

const PROGRAM = threadProgram("stores/sqlite/registry-worker");

/**
 * The registry, read on a thread of its own: on the Gateway's no database is opened. That costs 55 to 80 ms of CPU,
 * a quarter of what a whole run costs at least.
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
