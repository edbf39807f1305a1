import { errnoOf } from "../shared/problem.ts";
import { Refusal } from "./refusal.ts";

/** Longest `Retry-After` that is answered, in seconds. */
const MAX_RETRY_S = 10;

/** Spread, so that not all clients come back at once. */
function retryAfter(): Readonly<Record<string, string>> {
  return { "retry-after": String(1 + Math.floor(Math.random() * MAX_RETRY_S)) };
}

export function overloaded(why: string): Refusal {
  const message = `the receiver has too much to do (${why})`;
  return new Refusal(503, "OVERLOADED", message, { headers: retryAfter() });
}

/** Without the words of `cause`, which could quote what was sent. */
export function notStored(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const code = errnoOf(cause) || "unexpected error";
  const message = `the part could not be stored (${code})`;
  return new Refusal(503, "NOT_STORED", message, { cause, headers: retryAfter() });
}
