import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import type { FilterOptions } from "../../config/config.ts";
import { startThread, threadProgram } from "../../shared/thread.ts";
import type { Claim } from "../places.ts";
import type { DatabaseNeeds } from "./digest.ts";
import type { Registry } from "./registry.ts";

/** One answer takes no longer, in ms, or the thread is ended: a disk that does not answer is for the run to report. */
const ANSWER_MS = 10_000;

/** Heap of the thread, in MB: it holds a list of paths or of deletions, and no more than a page of sessions. */
const HEAP_MB = 64;

const PROGRAM = threadProgram("stores/sqlite/database-worker");

/** Whose databases a filter may exclude. */
export interface FilteredClaims {
  readonly claims: readonly Claim[];
  /** Real path of `agents/`; null when there is none. */
  readonly agentsDir: string | null;
  readonly filter: FilterOptions;
}

/** What the thread receives, one at a time. */
export type Question =
  | { readonly kind: "registry"; readonly stateDir: string }
  | ({ readonly kind: "excluded" } & FilteredClaims)
  | { readonly kind: "digest"; readonly path: string; readonly needs: DatabaseNeeds };

/** What the thread posts for each question. */
export type Answer =
  | { readonly kind: "answer"; readonly value: unknown }
  | { readonly kind: "failure"; readonly message: string };

export interface ThreadOptions {
  /** What the thread runs; another one is for tests. */
  readonly program?: URL;
  /** @default {@link ANSWER_MS} */
  readonly answerMs?: number;
}

/**
 * Reads databases on a thread of its own: on the Gateway's none is opened. The thread begins with the first
 * question, which costs 40 to 80 ms of CPU, and ends when this is disposed or a question fails. Each question
 * rejects when the signal fires, the thread fails or an answer takes too long.
 */
export class DatabaseThread implements Disposable {
  readonly #signal: AbortSignal;
  readonly #program: URL;
  readonly #answerMs: number;
  #worker: Worker | undefined;

  constructor(
    signal: AbortSignal,
    { program = PROGRAM, answerMs = ANSWER_MS }: ThreadOptions = {},
  ) {
    this.#signal = signal;
    this.#program = program;
    this.#answerMs = answerMs;
  }

  /** The host's list of agent databases. */
  async registry(stateDir: string): Promise<Registry> {
    return (await this.#ask({ kind: "registry", stateDir })) as Registry;
  }

  /** Real paths of the databases of agents that the filter excludes: of these nothing is opened. */
  async excluded(claims: FilteredClaims): Promise<ReadonlySet<string>> {
    return new Set((await this.#ask({ kind: "excluded", ...claims })) as string[]);
  }

  /** See `digestDatabase`; the one database that is there after links. */
  async digest(path: string, needs: DatabaseNeeds): Promise<string> {
    return (await this.#ask({ kind: "digest", path, needs })) as string;
  }

  [Symbol.dispose](): void {
    const worker = this.#worker;
    this.#worker = undefined;
    // A thread inside of a system call ends after that; whatever it waits for, this process need not.
    worker?.unref();
    void worker?.terminate();
  }

  async #ask(question: Question): Promise<unknown> {
    try {
      this.#signal.throwIfAborted();
      this.#worker ??= startThread(this.#program, { maxOldGenerationSizeMb: HEAP_MB });
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(this.#answerMs)]);
      const answered = once(this.#worker, "message", { signal });
      this.#worker.postMessage(question);
      const [answer] = (await answered) as [Answer];
      if (answer.kind === "failure") throw new Error(answer.message);
      return answer.value;
    } catch (error) {
      // What it answers too late would be taken for the answer to the next question.
      this[Symbol.dispose]();
      throw error;
    }
  }
}
