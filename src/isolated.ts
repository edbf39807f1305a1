import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { ledgerPaths } from "./ledger/files.ts";
import { InfluxionError } from "./problem.ts";
import type { RunReport } from "./report.ts";
import { type RunEvents, type RunOptions, takeRunLock } from "./run.ts";

/**
 * Most heap of a run, in MB; the ledger's records come on top. A run needs a tenth
 * of it. The rest is for a line of 8 MiB that is all tiny objects, which take many
 * times their text when they are parsed. See docs/performance.md.
 */
const HEAP_MB = 512;

/** Young generation of a run's heap, in MB: lines die young, and a small one keeps them cached. */
const YOUNG_MB = 4;

/** What a record of the ledger weighs in memory, compared to its text. */
const LEDGER_FACTOR = 12;

/** How long a run that is asked to end may take before its thread is ended, in ms. */
const END_MS = 600;

/** What the thread is given: everything of a run that can be copied. */
export type WorkerInput = Omit<RunOptions, "signal" | "now" | "random" | "events" | "lockWaitMs">;

/** What the thread tells. */
export type WorkerMessage =
  | {
      readonly [Name in Exclude<keyof RunEvents, "onWait">]-?: {
        readonly kind: Name;
        readonly args: Parameters<NonNullable<RunEvents[Name]>>;
      };
    }[Exclude<keyof RunEvents, "onWait">]
  | { readonly kind: "report"; readonly report: RunReport }
  /** A failure that was meant, with its code; or one that was not, without. */
  | { readonly kind: "failure"; readonly code: string | null; readonly message: string };

/**
 * A run on a thread of its own, with a heap of its own: the Gateway's event loop
 * and memory do not feel it, and no transcript can take the Gateway down. The lock
 * stays with this thread, which outlives the run.
 *
 * @throws what {@link run} throws, and `OUT_OF_MEMORY` when the run outgrew its heap
 */
export async function runIsolated(options: RunOptions): Promise<RunReport> {
  await using _lock = await takeRunLock(options);
  const { signal } = options;
  signal.throwIfAborted();
  const heapMb = HEAP_MB + (await ledgerMb(options.stateDir)) * LEDGER_FACTOR;
  // Beside this module, as source or built.
  const program = new URL(
    import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js",
    import.meta.url,
  );
  const worker = new Worker(program, {
    workerData: inputOf(options),
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
    // Flags of the host are the host's; most of them are not allowed here anyway.
    execArgv: [],
  });
  try {
    return await reportOf(worker, options, heapMb);
  } finally {
    await worker.terminate();
  }
}

function reportOf(
  worker: Worker,
  { signal, events }: RunOptions,
  heapMb: number,
): Promise<RunReport> {
  return new Promise((resolve, reject) => {
    let deadline: NodeJS.Timeout | undefined;
    const end = (): void => {
      worker.postMessage("end");
      deadline = setTimeout(() => reject(signal.reason), END_MS);
    };
    const settle = (settled: () => void): void => {
      clearTimeout(deadline);
      signal.removeEventListener("abort", end);
      settled();
    };
    signal.addEventListener("abort", end, { once: true });
    worker.on("message", (message: WorkerMessage) => {
      switch (message.kind) {
        case "report":
          return settle(() => (signal.aborted ? reject(signal.reason) : resolve(message.report)));
        case "failure":
          return settle(() => reject(signal.aborted ? signal.reason : failureOf(message)));
        default:
          return tell(events, message);
      }
    });
    worker.on("error", (error) => settle(() => reject(outOfMemory(error, heapMb) ?? error)));
    worker.on("exit", () => {
      settle(() =>
        reject(new InfluxionError("RUN_ENDED", "the upload's thread ended unexpectedly")),
      );
    });
  });
}

/** Calls the event that was told; its arguments are those the thread called it with. */
function tell(
  events: RunEvents | undefined,
  { kind, args }: { kind: keyof RunEvents; args: unknown[] },
): void {
  (events?.[kind] as ((...args: unknown[]) => void) | undefined)?.(...args);
}

function inputOf({
  stateDir,
  config,
  apiKey,
  proxyUrl,
  trigger,
  agentId,
}: RunOptions): WorkerInput {
  return { stateDir, config, apiKey, proxyUrl, trigger, agentId };
}

function failureOf({ code, message }: { code: string | null; message: string }): Error {
  return code === null ? new Error(message) : new InfluxionError(code, message);
}

function outOfMemory(error: unknown, heapMb: number): InfluxionError | null {
  const isIt =
    error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isIt
    ? new InfluxionError(
        "OUT_OF_MEMORY",
        `the upload needed more than ${Math.round(heapMb)} MB and was ended; nothing is lost, and the Gateway goes on. Lower upload.concurrency, and tell us`,
        { cause: error },
      )
    : null;
}

async function ledgerMb(stateDir: string): Promise<number> {
  const sizes = await Promise.all(
    Object.values(ledgerPaths(stateDir)).map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return Math.max(...sizes) / 1e6;
}
