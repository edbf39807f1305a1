import { errnoOf } from "../shared/problem.ts";
import { Refusal } from "./refusal.ts";

/** Over how many seconds clients come back unless there is more to say. */
const SPREAD_S = 10;

/** Spread, so that not all clients come back at once. */
function retryAfter(spreadS: number): Readonly<Record<string, string>> {
  return { "retry-after": String(1 + Math.floor(Math.random() * spreadS)) };
}

/** @param spreadS over how many seconds clients are to come back */
export function overloaded(why: string, spreadS = SPREAD_S): Refusal {
  const message = `the receiver has too much to do (${why})`;
  return new Refusal(503, "OVERLOADED", message, { headers: retryAfter(spreadS) });
}

export function notStored(cause: unknown): Refusal {
  return failed("the part could not be stored", cause);
}

export function notDeleted(cause: unknown): Refusal {
  return failed("the deletion could not be finished", cause);
}

/** Without the words of `cause`, which could quote what was sent. */
function failed(what: string, cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const message = `${what} (${errnoOf(cause) || "unexpected error"})`;
  return new Refusal(503, "NOT_STORED", message, { cause, headers: retryAfter(SPREAD_S) });
}
