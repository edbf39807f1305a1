import type { Worker } from "node:worker_threads";
import { asInfluxionError } from "../shared/problem.ts";
import { startThread, threadProgram } from "../shared/thread.ts";
import type { PageAnswer, PageInput } from "./request.ts";
import type { PageQuestion, PageReply } from "./worker.ts";

/** Heap of the thread, in MB: a survey of 10,000 sessions takes a fraction of it. */
const HEAP_MB = 256;

/** An answer is given again for this long, in ms, however often somebody reloads. */
const FRESH_MS = 3000;

/** Answers that are kept for that: each is a few hundred kB at most. */
const MAX_KEPT = 32;

/** Questions that wait at the same time; further ones are refused. */
const MAX_WAITING = 8;

/** An answer takes no longer, in ms, or the thread is ended. */
const ANSWER_MS = 60_000;

const TOOK_TOO_LONG = `reading the sessions took longer than ${ANSWER_MS / 1000} s`;

/** How long the thread is kept after an answer, in ms: loading its code takes half a second. */
const IDLE_MS = 60_000;

const PROGRAM = threadProgram("page/worker");

interface Waiting {
  readonly resolve: (answer: PageAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly deadline: NodeJS.Timeout;
}

/** Why there is no answer, in words for the one who asked. */
export class NoAnswerError extends Error {
  override name = "NoAnswerError";
}

/**
 * Makes answers on a thread of its own, so that the Gateway's event loop has nothing to do for them
 * but to hand them on. The thread begins with the first question and ends when nobody asks any more.
 */
export class PageThread {
  readonly #program: URL;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  readonly #waiting = new Map<number, Waiting>();
  /** By resource and query. */
  readonly #answers = new Map<string, Promise<PageAnswer>>();

  /** @param program what the thread runs; another one is for tests */
  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /**
   * The same question within three seconds has the same answer.
   * @throws {NoAnswerError} when too many others wait, or when the thread ends or takes too long
   */
  async ask(input: PageInput): Promise<PageAnswer> {
    const key = `${input.resource}?${input.query}`;
    const before = this.#answers.get(key);
    if (before !== undefined) return await before;
    const answer = this.#askThread(input);
    this.#answers.set(key, answer);
    const [oldest = key] = this.#answers.keys();
    if (this.#answers.size > MAX_KEPT) this.#answers.delete(oldest);
    const forget = (): boolean => this.#answers.get(key) === answer && this.#answers.delete(key);
    answer.then(() => setTimeout(forget, FRESH_MS).unref(), forget);
    return await answer;
  }

  /** Ends the thread; whoever waits is rejected, with that reason. */
  async end(reason = "the page's thread was ended"): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll(reason);
    await worker?.terminate();
  }

  async #askThread(input: PageInput): Promise<PageAnswer> {
    if (this.#waiting.size >= MAX_WAITING)
      throw new NoAnswerError("too many pages are asked for at once");
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = this.#nextId++;
    return await new Promise<PageAnswer>((resolve, reject) => {
      const deadline = setTimeout(() => void this.end(TOOK_TOO_LONG), ANSWER_MS).unref();
      this.#waiting.set(id, { resolve, reject, deadline });
      worker.postMessage({ id, input } satisfies PageQuestion);
    });
  }

  #start(): Worker {
    const worker = startThread(this.#program, { maxOldGenerationSizeMb: HEAP_MB });
    worker.unref();
    worker.on("message", (reply: PageReply) => this.#settle(reply));
    const failed = (reason: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#rejectAll(reason);
    };
    worker.on("error", (error) =>
      failed(`the page's thread failed: ${asInfluxionError(error).message}`),
    );
    worker.once("exit", () => failed("the page's thread ended"));
    return worker;
  }

  #settle({ id, answer }: PageReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.deadline);
    waiting?.resolve(answer);
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => void this.end(), IDLE_MS).unref();
  }

  #rejectAll(reason: string): void {
    for (const { reject, deadline } of this.#waiting.values()) {
      clearTimeout(deadline);
      reject(new NoAnswerError(reason));
    }
    this.#waiting.clear();
  }
}
