import type { Config } from "../config/config.ts";
import type { LockOwner } from "../ledger/lock.ts";
import type { Clock } from "../shared/clock.ts";
import type { HostLayout } from "../stores/layout.ts";
import type { HostProxy } from "../upload/proxy.ts";
import type { FirstContact } from "./first-contact.ts";

/** Why there is a run: the interval is over, a transcript has changed, or a user asked for it. */
export type RunTrigger = "interval" | "change" | "command";

/** What is asked of a run: plain data, which crosses to the worker thread as it is. */
export interface RunInput {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. @default nothing */
  readonly layout?: HostLayout | undefined;
  readonly config: Config;
  /** The key itself, whatever form the config gives it. */
  readonly apiKey: string;
  /** What `redact.values` leads to. @default none */
  readonly redactValues?: readonly string[] | undefined;
  readonly proxy?: HostProxy | undefined;
  /** Who asks, for the report and for others that wait for the lock. */
  readonly trigger: RunTrigger;
  /** Send although the API refused the key before, or asked to wait. @default false */
  readonly ignoreHold?: boolean | undefined;
  /** Send although uploads are paused. @default false */
  readonly ignorePause?: boolean | undefined;
  /** Also try sessions that are backed off and not due yet. @default false */
  readonly retryBackedOff?: boolean | undefined;
  /** Only this agent, by any of its names. */
  readonly agentId?: string | undefined;
  /** Keys of the only sessions that are looked at. @default all */
  readonly only?: ReadonlySet<string> | undefined;
  /** Go on, past the limits of one run, until nothing that was found is waiting. */
  readonly all?: boolean | undefined;
  /** How long to wait for another uploader, in ms. */
  readonly lockWaitMs: number;
}

/** What a run is done with; none of it can cross to another thread. */
export interface RunContext extends Clock {
  readonly signal: AbortSignal;
  /** In [0, 1). */
  readonly random: () => number;
  readonly events?: RunEvents;
}

export interface RunOptions extends RunInput, RunContext {}

/** What a look at sessions takes, which sends nothing. */
export type LookOptions = Pick<
  RunOptions,
  "stateDir" | "layout" | "config" | "agentId" | "signal" | "now"
>;

/** What a caller may show while a run goes on: plain data, so that it can come from another thread. */
export interface RunEvents {
  onWait?(owner: LockOwner): void;
  /** Before the first byte is sent to a destination that has taken nothing yet. */
  onFirstContact?(contact: FirstContact): void;
  onPlan?(plan: readonly (SessionName & { readonly bytes: number })[]): void;
  /** @param bytes compressed bytes handed to the socket */
  onBytes?(bytes: number): void;
  onRetry?(session: SessionName, reason: string, waitMs: number): void;
  onSession?(session: SessionName, result: "done" | "failed" | "later"): void;
}

export interface SessionName {
  readonly agentId: string;
  readonly sessionId: string;
}
