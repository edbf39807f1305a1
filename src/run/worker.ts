// The thread of a WorkerRunner; see worker-runner.ts.
import { parentPort } from "node:worker_threads";
import { asInfluxionError } from "../shared/problem.ts";
import type { RunInput } from "./options.ts";
import { run } from "./run.ts";
import type { WorkerCommand, WorkerMessage } from "./worker-runner.ts";

/** Bytes are reported at most this often, in ms. */
const BYTES_EVERY_MS = 100;

if (parentPort === null) throw new Error("this module is the program of a worker thread");
const port = parentPort;
const post = (message: WorkerMessage): void => port.postMessage(message);

let abort = new AbortController();

port.on("message", (command: WorkerCommand) => {
  if (command.kind === "end") abort.abort(new Error("the run was asked to end"));
  else void work(command.input);
});

async function work(input: RunInput): Promise<void> {
  abort = new AbortController();
  let unreported = 0;
  let reportedAt = 0;
  const reportBytes = (): void => {
    if (unreported > 0) post({ kind: "onBytes", args: [unreported] });
    unreported = 0;
    reportedAt = performance.now();
  };
  const outcome = await run({
    ...input,
    signal: abort.signal,
    now: Date.now,
    random: Math.random,
    events: {
      onWait: (...args) => post({ kind: "onWait", args }),
      onFirstContact: (...args) => post({ kind: "onFirstContact", args }),
      onPlan: (...args) => post({ kind: "onPlan", args }),
      onRetry: (...args) => post({ kind: "onRetry", args }),
      onSession: (...args) => {
        reportBytes();
        post({ kind: "onSession", args });
      },
      onBytes: (bytes) => {
        unreported += bytes;
        if (performance.now() - reportedAt >= BYTES_EVERY_MS) reportBytes();
      },
    },
  }).then((report): WorkerMessage => ({ kind: "report", report }), failureMessage);
  reportBytes();
  post(outcome);
}

function failureMessage(error: unknown): WorkerMessage {
  const { code, message } = asInfluxionError(error);
  return { kind: "failure", code, message };
}
