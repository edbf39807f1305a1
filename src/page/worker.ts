// The thread of a PageThread; see thread.ts.
import { parentPort } from "node:worker_threads";
import { answerTo } from "./answer.ts";
import type { PageAnswer, PageInput } from "./request.ts";

/** What the thread receives, and posts when it is done with it. */
export interface PageQuestion {
  readonly id: number;
  readonly input: PageInput;
}
export interface PageReply {
  readonly id: number;
  readonly answer: PageAnswer;
}

if (parentPort === null) throw new Error("this module is the program of a worker thread");
const port = parentPort;

/** Nothing ends one answer: the thread is ended as a whole. */
const { signal } = new AbortController();

// One after the other: what one has read from the disk, the next one finds in its cache.
let last: Promise<unknown> = Promise.resolve();
port.on("message", ({ id, input }: PageQuestion) => {
  last = last.then(async () => {
    const answer = await answerTo(input, Date.now, signal);
    port.postMessage({ id, answer } satisfies PageReply);
  });
});
