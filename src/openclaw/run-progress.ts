import type { RunEvents, RunTrigger } from "../run/options.ts";

/** How far a run has come. */
export interface RunProgress {
  readonly trigger: RunTrigger;
  /** ms since the epoch */
  readonly startedAt: number;
  /** Sessions that are to be sent, as far as that is planned. */
  readonly planned: number;
  /** Sessions of which nothing more is sent in this run. */
  readonly done: number;
  /** Compressed bytes handed to the network. */
  readonly bytes: number;
}

/** Follows a run by its events. */
export class ProgressWatch {
  readonly events: RunEvents;
  #progress: RunProgress;

  constructor(trigger: RunTrigger, startedAt: number) {
    this.#progress = { trigger, startedAt, planned: 0, done: 0, bytes: 0 };
    const add = (more: Partial<Pick<RunProgress, "planned" | "done" | "bytes">>): void => {
      const { planned, done, bytes } = this.#progress;
      this.#progress = {
        ...this.#progress,
        planned: planned + (more.planned ?? 0),
        done: done + (more.done ?? 0),
        bytes: bytes + (more.bytes ?? 0),
      };
    };
    this.events = {
      onPlan: (plan) => add({ planned: plan.length }),
      onSession: () => add({ done: 1 }),
      onBytes: (bytes) => add({ bytes }),
    };
  }

  get progress(): RunProgress {
    return this.#progress;
  }
}
