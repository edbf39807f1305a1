import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
// What the lock is made with comes with this module: in the middle of a run it would hold the loop up.
import "@openclaw/fs-safe/file-lock";
import { ledgerPaths } from "./ledger/files.ts";
import { InfluxionError } from "./problem.ts";
import type { RunReport } from "./report.ts";
import type { RunEvents, RunOptions } from "./run.ts";
import { takeRunLock } from "./run-lock.ts";

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

/** Beside this module, as source or built. */
const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js",
  import.meta.url,
);

/** What the thread is given for a run: everything of it that can be copied. */
export type WorkerInput = Omit<RunOptions, "signal" | "now" | "random" | "events" | "lockWaitMs">;

/** What the thread is told: do a run, or end the one that is going on. */
export type WorkerCommand =
  | { readonly kind: "run"; readonly input: WorkerInput }
  | { readonly kind: "end" };

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
 * Does runs on a thread of its own, with a heap of its own: the Gateway's event loop
 * and memory do not feel them, and no transcript can take the Gateway down. The
 * thread begins with the first run and ends when the runner is disposed. The lock
 * of each run stays with this thread, which outlives the other one.
 */
export class IsolatedRunner implements AsyncDisposable {
  readonly #program: URL;
  #worker: Worker | undefined;
  #heapMb = HEAP_MB;

  /** @param program what the thread runs; another one is for tests */
  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /**
   * One run; not more than one at a time.
   * @throws what {@link run} throws, and `OUT_OF_MEMORY` when the run outgrew its heap
   */
  async run(options: RunOptions): Promise<RunReport> {
    await using _lock = await takeRunLock(options);
    const worker = this.#worker ?? (await this.#start(options.stateDir));
    this.#worker = worker;
    try {
      // After everything that was awaited, for the signal tells only once.
      options.signal.throwIfAborted();
      return await this.#reportOf(worker, options);
    } catch (error) {
      // Whatever state it was left in, the next run has a new one.
      this.#worker = undefined;
      await worker.terminate();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #start(stateDir: string): Promise<Worker> {
    this.#heapMb = Math.round(HEAP_MB + (await ledgerMb(stateDir)) * LEDGER_FACTOR);
    const worker = new Worker(this.#program, {
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
      // Flags of the host are the host's; most of them are not allowed here anyway.
      execArgv: [],
    });
    // An error of a thread without a listener would end the Gateway, also one that comes when no run waits for it.
    worker
      .on("error", () => undefined)
      .once("exit", () => {
        if (this.#worker === worker) this.#worker = undefined;
      });
    return worker;
  }

  #reportOf(worker: Worker, options: RunOptions): Promise<RunReport> {
    const { signal, events } = options;
    return new Promise((resolve, reject) => {
      let deadline: NodeJS.Timeout | undefined;
      const send = (command: WorkerCommand): void => worker.postMessage(command);
      const end = (): void => {
        send({ kind: "end" });
        deadline = setTimeout(() => settle(() => reject(signal.reason)), END_MS);
      };
      const onMessage = (message: WorkerMessage): void => {
        if (message.kind === "report") {
          settle(() => (signal.aborted ? reject(signal.reason) : resolve(message.report)));
        } else if (message.kind === "failure") {
          settle(() => reject(signal.aborted ? signal.reason : failureOf(message)));
        } else {
          tell(events, message);
        }
      };
      const onError = (error: unknown): void => {
        settle(() => reject(outOfMemory(error, this.#heapMb) ?? error));
      };
      const onExit = (): void => {
        const ended = new InfluxionError("RUN_ENDED", "the upload's thread ended unexpectedly");
        settle(() => reject(ended));
      };
      const settle = (settled: () => void): void => {
        clearTimeout(deadline);
        signal.removeEventListener("abort", end);
        worker.off("message", onMessage).off("error", onError).off("exit", onExit);
        settled();
      };
      signal.addEventListener("abort", end, { once: true });
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      send({ kind: "run", input: inputOf(options) });
    });
  }
}

/** One run on a thread that ends with it. */
export async function runIsolated(options: RunOptions): Promise<RunReport> {
  await using runner = new IsolatedRunner();
  return await runner.run(options);
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
  layout,
  config,
  apiKey,
  proxyUrl,
  trigger,
  retryAside,
  agentId,
}: RunOptions): WorkerInput {
  return { stateDir, layout, config, apiKey, proxyUrl, trigger, retryAside, agentId };
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
        `the upload needed more than ${heapMb} MB and was ended; nothing is lost, and the Gateway goes on. Lower upload.concurrency, and tell us`,
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
