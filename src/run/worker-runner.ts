import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { ledgerPaths } from "../ledger/paths.ts";
import type { Code } from "../shared/codes.ts";
import { InfluxionError, LockedError } from "../shared/problem.ts";
import { startThread, threadProgram } from "../shared/thread.ts";
import type { RunEvents, RunInput, RunOptions } from "./options.ts";
import type { RunReport } from "./report.ts";

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
const END_MS = 500;

/** How long the end of a thread is waited for, in ms; one that is inside of a system call ends after that. */
const TERMINATE_MS = 300;

const PROGRAM = threadProgram("run/worker");

/** What the thread receives: do a run, or end the one that is going on. */
export type WorkerCommand =
  | { readonly kind: "run"; readonly input: RunInput }
  | { readonly kind: "end" };

/** What the thread posts. */
export type WorkerMessage =
  | {
      readonly [Name in keyof RunEvents]-?: {
        readonly kind: Name;
        readonly args: Parameters<NonNullable<RunEvents[Name]>>;
      };
    }[keyof RunEvents]
  | { readonly kind: "report"; readonly report: RunReport }
  | { readonly kind: "failure"; readonly code: Code; readonly message: string };

/**
 * Does runs on a thread of its own, with a heap of its own: the Gateway's event loop
 * and memory do not feel them, and no transcript can take the Gateway down. The
 * thread begins with the first run and ends when the runner is disposed. It takes the
 * lock of each run itself, so that the lock lives exactly as long as the code that uploads.
 *
 * A thread in the middle of a system call, e.g. on a network disk that does not answer, cannot
 * be ended. It is left to itself after a second, keeps the lock and uploads nothing any more.
 */
export class WorkerRunner implements AsyncDisposable {
  readonly #program: URL;
  #worker: Worker | undefined;
  #heapMb = HEAP_MB;
  #isStuck = false;

  /** @param program what the thread runs; another one is for tests */
  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /**
   * One run; not more than one at a time. Rejects within a second of the signal.
   * @throws {InfluxionError} what {@link run} throws; `OUT_OF_MEMORY` when the run outgrew its heap;
   * `RUN_STUCK` when the thread of an earlier one could not be ended
   */
  async run(options: RunOptions): Promise<RunReport> {
    if (this.#isStuck) throw stuck();
    const worker = this.#worker ?? (await this.#start(options.stateDir));
    this.#worker = worker;
    try {
      // After everything that was awaited, for the signal fires only once.
      options.signal.throwIfAborted();
      return await this.#reportOf(worker, options);
    } catch (error) {
      // Whatever state it was left in, the next run has a new one.
      await this.#end(worker);
      throw error;
    }
  }

  /** Takes a third of a second at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#worker !== undefined) await this.#end(this.#worker);
  }

  async #end(worker: Worker): Promise<void> {
    this.#worker = undefined;
    this.#isStuck = true;
    const ended = worker.terminate().then(() => {
      this.#isStuck = false;
    });
    await Promise.race([ended, sleep(TERMINATE_MS, undefined, { ref: false })]);
    // Whatever it still waits for, this process need not.
    worker.unref();
  }

  async #start(stateDir: string): Promise<Worker> {
    this.#heapMb = Math.round(HEAP_MB + (await ledgerMb(stateDir)) * LEDGER_FACTOR);
    const worker = startThread(this.#program, {
      maxOldGenerationSizeMb: this.#heapMb,
      maxYoungGenerationSizeMb: YOUNG_MB,
    });
    worker.once("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }

  #reportOf(worker: Worker, options: RunOptions): Promise<RunReport> {
    // The thread has a clock and chance of its own.
    const { signal, events, now: _, random: __, ...input } = options;
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
      send({ kind: "run", input });
    });
  }
}

/** One run on a thread that ends with it. */
export async function runInWorker(options: RunOptions): Promise<RunReport> {
  await using runner = new WorkerRunner();
  return await runner.run(options);
}

/** Calls the event that was posted; its arguments are those the thread called it with. */
function tell(
  events: RunEvents | undefined,
  { kind, args }: { kind: keyof RunEvents; args: unknown[] },
): void {
  (events?.[kind] as ((...args: unknown[]) => void) | undefined)?.(...args);
}

/** A class does not come out of the thread, its code does. */
function failureOf({ code, message }: { code: Code; message: string }): Error {
  return code === "LOCKED" ? new LockedError(message) : new InfluxionError(code, message);
}

function stuck(): InfluxionError {
  return new InfluxionError(
    "RUN_STUCK",
    "an upload that was ended is still inside of a system call, so what it reads, e.g. a network disk, does not answer; nothing is uploaded until it does, or until OpenClaw is restarted",
  );
}

function outOfMemory(error: unknown, heapMb: number): InfluxionError | null {
  const isIt =
    error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isIt
    ? new InfluxionError(
        "OUT_OF_MEMORY",
        `the upload needed more than ${heapMb} MB and was ended; nothing is lost, and the Gateway goes on. Lower upload.concurrency, and please report it`,
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
