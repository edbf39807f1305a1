/** What the child program is told, as JSON in its first argument. */
export interface ChildOptions {
  readonly mode: "interval" | "command" | "service";
  readonly stateDir: string;
  /** Where the compiled code is kept. */
  readonly cacheDir: string;
  readonly config: Record<string, unknown>;
  readonly seed: number;
}

/** What it tells. */
export type ChildMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "run"; readonly outcome: string }
  /** A run ended in a way that none of the plugin's own errors stands for. */
  | { readonly kind: "crash"; readonly error: string };

/**
 * The child's clock is ahead of the files' by this much, in ms, so that a stream
 * is at rest after 10 s - this. A soak of minutes sees as much as one of hours.
 */
export const CLOCK_AHEAD_MS = 9_200;
