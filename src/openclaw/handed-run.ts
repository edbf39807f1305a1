import type { RunEvents } from "../run/options.ts";
import type { RunReport } from "../run/report.ts";
import type { Code } from "../shared/codes.ts";

/** Most events of a run that wait for whoever asked for it, who may be gone. */
const MAX_EVENTS = 10_000;

/** What the one who asked may show of a run; plain data. */
export type HandedEvent = {
  readonly [Name in keyof RunEvents]-?: {
    readonly kind: Name;
    readonly args: Parameters<NonNullable<RunEvents[Name]>>;
  };
}[keyof RunEvents];

export type HandedResult =
  | { readonly report: RunReport }
  | { readonly failure: { readonly code: Code; readonly message: string } };

/** What is new of a run. `result` comes with the last events, and only then. */
export interface HandedNews {
  readonly events: readonly HandedEvent[];
  readonly result?: HandedResult;
}

/** A run that a command has handed over to the service, for the command to ask about. */
export class HandedRun {
  readonly id: string;
  readonly events: RunEvents;
  readonly #abort = new AbortController();
  #news: HandedEvent[] = [];
  #result: HandedResult | undefined;

  constructor(id: string) {
    this.id = id;
    this.events = {
      onWait: (...args) => this.#add({ kind: "onWait", args }),
      onFirstContact: (...args) => this.#add({ kind: "onFirstContact", args }),
      onPlan: (...args) => this.#add({ kind: "onPlan", args }),
      onRetry: (...args) => this.#add({ kind: "onRetry", args }),
      onSession: (...args) => this.#add({ kind: "onSession", args }),
      onBytes: (...args) => this.#add({ kind: "onBytes", args }),
    };
  }

  /** Fires when the run is canceled. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isOver(): boolean {
    return this.#result !== undefined;
  }

  cancel(): void {
    this.#abort.abort(new Error("the run was canceled"));
  }

  end(result: HandedResult): void {
    this.#result = result;
  }

  /** What is new since the last time. */
  news(): HandedNews {
    const events = this.#news;
    this.#news = [];
    return { events, ...(this.#result === undefined ? {} : { result: this.#result }) };
  }

  #add(event: HandedEvent): void {
    if (this.#news.length < MAX_EVENTS) this.#news.push(event);
  }
}
