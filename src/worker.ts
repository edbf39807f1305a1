// The thread of an IsolatedRunner; see isolated.ts.
import { parentPort } from "node:worker_threads";
import type { WorkerCommand, WorkerInput, WorkerMessage } from "./isolated.ts";
import { InfluxionError } from "./problem.ts";
import { runLocked } from "./run.ts";

/** Bytes are told at most this often, in ms. */
const TELL_EVERY_MS = 100;

if (parentPort === null) throw new Error("this module is the program of a worker thread");
const port = parentPort;
const tell = (message: WorkerMessage): void => port.postMessage(message);

let abort = new AbortController();

port.on("message", (command: WorkerCommand) => {
  if (command.kind === "end") abort.abort(new Error("the run was asked to end"));
  else void work(command.input);
});

async function work(input: WorkerInput): Promise<void> {
  abort = new AbortController();
  let untold = 0;
  let toldAt = 0;
  try {
    const report = await runLocked({
      ...input,
      signal: abort.signal,
      now: Date.now,
      random: Math.random,
      events: {
        onPlan: (...args) => tell({ kind: "onPlan", args }),
        onRetry: (...args) => tell({ kind: "onRetry", args }),
        onSession: (...args) => tell({ kind: "onSession", args }),
        onBytes: (bytes) => {
          untold += bytes;
          if (performance.now() - toldAt < TELL_EVERY_MS) return;
          tell({ kind: "onBytes", args: [untold] });
          untold = 0;
          toldAt = performance.now();
        },
      },
    });
    tell({ kind: "report", report });
  } catch (error) {
    const code = error instanceof InfluxionError ? error.code : null;
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: "failure", code, message });
  }
}
