import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { type ResourceLimits, Worker } from "node:worker_threads";

/**
 * The program of a thread, as source or built.
 *
 * @param module its path in `src`, without the ending
 */
export function threadProgram(module: string): URL {
  // Both `src/shared` and the chunk of this module in `dist/chunks` lie one folder below the modules' own paths.
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`../${module}${ending}`, import.meta.url);
}

/**
 * Starts a thread. An error in it for which nobody listens would end the Gateway, also one that comes when nobody waits
 * any more, so there is a listener.
 */
export function startThread(program: URL, resourceLimits: ResourceLimits): Worker {
  // No `execArgv`: so the thread has the host's options, those about TLS among them. A list of them is refused.
  return new Worker(program, { env: threadEnv(), resourceLimits }).on("error", () => undefined);
}

/**
 * The environment of a thread: that of the process, and where Node keeps what it has compiled, if it does. OpenClaw
 * switches that on, and no thread inherits it (https://nodejs.org/api/module.html#module-compile-cache). It takes a third off
 * the 100 ms of CPU in which the thread of a run is loaded.
 */
function threadEnv(): NodeJS.ProcessEnv {
  const used = getCompileCacheDir();
  // In use is a folder in it for this version of Node.
  return used === undefined ? process.env : { NODE_COMPILE_CACHE: dirname(used), ...process.env };
}
