import * as v from "valibot";
import type { Destination } from "../ledger/ledger.ts";
import type { Deletion } from "../ledger/schema.ts";
import { type DeletionReceipt, DeletionReceiptSchema } from "../protocol/wire.ts";
import type { Clock } from "../shared/clock.ts";
import { parseJson } from "../shared/json.ts";
import type { Answer } from "./answer.ts";
import { classifyAnswer, type Outcome } from "./classify.ts";
import type { Client } from "./client.ts";
import { classifyFailure } from "./failure.ts";
import { createPacer } from "./pacer.ts";
import { type RetryTimes, tryAgain } from "./retry.ts";

/** What follows from a request to delete something. */
export type DeletionOutcome =
  | { readonly kind: "deleted"; readonly receipt: DeletionReceipt }
  /** The API has no such request. */
  | { readonly kind: "unsupported"; readonly reason: string }
  /** This deletion will not be carried out as it is. */
  | { readonly kind: "rejected"; readonly reason: string }
  | Extract<Outcome, { kind: "retry" | "refused" | "unreachable" }>;

export interface DeletionOptions extends RetryTimes, Clock {
  readonly client: Pick<Client, "delete" | "address">;
  readonly destination: Pick<Destination, "deploymentId" | "projectId">;
  /** Notified why an attempt failed and how long the next one waits, in ms. */
  readonly onRetry?: ((reason: string, waitMs: number) => void) | undefined;
}

/** No other answers of servers that do not know a method, or the path with it. */
const UNKNOWN_METHOD: ReadonlySet<number> = new Set([404, 405, 410, 501]);

/**
 * Asks the API to delete something, again when that may help. The request is idempotent:
 * what was deleted before is confirmed again.
 *
 * @throws the signal's reason
 */
export async function requestDeletion(
  deletion: Deletion,
  { client, destination, now, onRetry = () => undefined, ...times }: DeletionOptions,
): Promise<DeletionOutcome> {
  const query = queryOf(deletion, destination);
  const { signal } = times;
  const pacer = createPacer(signal);
  const attempt = (): Promise<DeletionOutcome> =>
    client.delete(query, signal).then(
      (answer) => classifyDeletion(answer, now()),
      (error: unknown) => {
        signal.throwIfAborted();
        return ofAttempt(classifyFailure(error, client.address));
      },
    );
  return await tryAgain(times, () => pacer(attempt), onRetry);
}

/** The rows of docs/wire.md about deletions. @param now ms since the epoch */
export function classifyDeletion(answer: Answer, now: number): DeletionOutcome {
  const { status } = answer;
  const isSuccess = status >= 200 && status < 300;
  const receipt = answer.endless ? null : parseDeletionReceipt(answer.body);
  // Nothing is there any more, according to one that understands the request.
  const isGone = status === 404 || status === 410;
  if (receipt !== null && (isSuccess || isGone)) return { kind: "deleted", receipt };
  if (isSuccess) {
    const reason = `answered ${status} without saying what was deleted; is a captive portal or proxy answering for the API?`;
    return { kind: "retry", reason };
  }
  if (UNKNOWN_METHOD.has(status)) {
    const reason = `answered ${status}: it does not know how to delete sessions; ask its operator to delete them`;
    return { kind: "unsupported", reason };
  }
  return ofAttempt(classifyAnswer(answer, 0, now), status);
}

/** What an outcome of a part means for a deletion. */
function ofAttempt(outcome: Outcome, status?: number): DeletionOutcome {
  switch (outcome.kind) {
    case "retry":
    case "refused":
    case "unreachable":
      return outcome;
    default:
      return {
        kind: "rejected",
        reason: `answered ${status}: the API does not take this deletion`,
      };
  }
}

function parseDeletionReceipt(body: string): DeletionReceipt | null {
  const value = parseJson(body);
  const counted = v.safeParse(DeletionReceiptSchema, value);
  if (!counted.success) return null;
  const { left } = value as Readonly<Record<string, unknown>>;
  return { ...counted.output, ...(Number.isSafeInteger(left) ? { left: Number(left) } : {}) };
}

function queryOf(
  { agentId, sessionId, through }: Deletion,
  { deploymentId, projectId }: Pick<Destination, "deploymentId" | "projectId">,
): URLSearchParams {
  const query = new URLSearchParams({ deploymentId, projectId });
  // Named, so that a parameter which is lost on the way does not make it a larger one.
  query.set("scope", scopeOf({ agentId, sessionId }));
  if (agentId !== undefined) query.set("agentId", agentId);
  if (sessionId !== undefined) query.set("sessionId", sessionId);
  query.set("through", String(through));
  return query;
}

function scopeOf({
  agentId,
  sessionId,
}: {
  readonly agentId: string | undefined;
  readonly sessionId: string | undefined;
}): "session" | "agent" | "deployment" {
  if (sessionId !== undefined) return "session";
  return agentId === undefined ? "deployment" : "agent";
}
