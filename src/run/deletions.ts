import type { Config } from "../config/config.ts";
import { findDeleted } from "../discovery/deleted.ts";
import { forgotten } from "../discovery/examine.ts";
import type { Survey } from "../discovery/survey.ts";
import { MAX_SESSION_BACKOFF_MS } from "../ledger/backoff.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Deletion } from "../ledger/schema.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { DeletionReceipt } from "../protocol/wire.ts";
import { type Clock, isAhead } from "../shared/clock.ts";
import { InfluxionError } from "../shared/problem.ts";
import { plural } from "../shared/text.ts";
import type { Agent } from "../stores/agents.ts";
import type { Client } from "../upload/client.ts";
import type { DeletionOutcome } from "../upload/deletion.ts";
import type { HostProxy } from "../upload/proxy.ts";
import { connect } from "./connect.ts";

export interface DeletionRunOptions extends Clock {
  readonly config: Config;
  readonly apiKey: string;
  readonly proxy?: HostProxy | undefined;
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  /** Also those that failed and are not due yet. @default false */
  readonly retryBackedOff?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly random: () => number;
  /** Notified why an attempt failed and how long the next one waits, in ms. */
  readonly onRetry?: ((reason: string, waitMs: number) => void) | undefined;
}

/** What became of the deletions that the API was asked for. */
export interface DeletionReport {
  /** Confirmed ones. */
  readonly done: number;
  /** Sessions that something was deleted of, as the API counts them. */
  readonly deleted: number;
  /** Sessions of which the API keeps something that was not sent from here. */
  readonly left: number;
  /** Still to be confirmed. */
  readonly pending: number;
  /** Why the last of those was not, where one was tried. */
  readonly reason?: string;
}

/**
 * Writes down that the API is to delete what OpenClaw has deleted, where the config wants that.
 * @returns the survey without what is left of it, such as archives of resets
 */
export async function withoutDeleted(
  { onDelete }: Pick<Config, "onDelete">,
  agents: readonly Agent[],
  found: Survey,
  target: TargetRecords,
): Promise<Survey> {
  if (onDelete === "keep") return found;
  const deleted = new Set<string>();
  for (const { key, agentId, sessionId } of await findDeleted(agents, found, target)) {
    deleted.add(key);
    target.forget(key, true);
    target.deletions.plan({ agentId, sessionId });
  }
  const sessions = found.sessions.map((one) => (deleted.has(one.key) ? forgotten(one) : one));
  return { ...found, sessions };
}

type Failure = Exclude<DeletionOutcome, { kind: "deleted" }>;

/**
 * Asks the API for the deletions that are written down and due, and writes down what it
 * confirms. What it does not is tried again later, at a slow rate; a failure that is not about
 * one deletion ends the attempts.
 *
 * @throws {LedgerError} when that cannot be written down
 * @throws {InfluxionError} `PROXY_INVALID`, `TLS_INVALID`
 * @throws the signal's reason
 */
export async function sendDeletions(options: DeletionRunOptions): Promise<DeletionReport> {
  const { target, ledger, signal } = options;
  const due = target.deletions.pending.filter((deletion) => isDue(deletion, options));
  const receipts: DeletionReceipt[] = [];
  let last: Failure | undefined;
  if (due.length > 0) {
    try {
      last = await sendAll(due, options, receipts);
    } finally {
      await ledger.save();
    }
    signal.throwIfAborted();
  }
  return {
    done: receipts.length,
    deleted: receipts.reduce((sum, { deleted }) => sum + deleted, 0),
    left: receipts.reduce((sum, { left = 0 }) => sum + left, 0),
    pending: target.deletions.pending.length,
    ...(last === undefined ? {} : { reason: last.reason }),
  };
}

/** @returns the last failure */
async function sendAll(
  due: readonly Deletion[],
  options: DeletionRunOptions,
  receipts: DeletionReceipt[],
): Promise<Failure | undefined> {
  let client: Client;
  try {
    client = await connect(options);
  } catch (error) {
    if (!(error instanceof InfluxionError)) throw error;
    // A run that has nothing else to send goes on.
    return putOff(due, { kind: "unreachable", reason: error.message }, options);
  }
  try {
    return await sendWith(client, due, options, receipts);
  } finally {
    await client.close();
  }
}

async function sendWith(
  client: Client,
  due: readonly Deletion[],
  options: DeletionRunOptions,
  receipts: DeletionReceipt[],
): Promise<Failure | undefined> {
  const { requestDeletion } = await import("../upload/deletion.ts");
  const { config, target, ledger } = options;
  let last: Failure | undefined;
  for (const [at, deletion] of due.entries()) {
    const how = { ...options, ...config.upload, client, destination: config };
    const outcome = await requestDeletion(deletion, how);
    if (outcome.kind === "deleted") {
      target.deletions.confirm(deletion);
      receipts.push(outcome.receipt);
      await ledger.saveSoon();
    } else if (outcome.kind === "rejected") {
      last = putOff([deletion], outcome, options);
    } else {
      return putOff(due.slice(at), outcome, options);
    }
  }
  return last;
}

function putOff(
  failed: readonly Deletion[],
  failure: Failure,
  { target }: DeletionRunOptions,
): Failure {
  if (failure.kind === "retry" && failure.waitMs !== undefined) {
    target.holdFor(failure.waitMs);
  }
  for (const one of failed) target.deletions.putOff(one, failure.reason);
  return failure;
}

function isDue({ failed }: Deletion, { retryBackedOff = false, now }: DeletionRunOptions): boolean {
  return (
    retryBackedOff ||
    failed === undefined ||
    !isAhead(failed.retryAt, now(), MAX_SESSION_BACKOFF_MS)
  );
}

/** @param reason why the API has not confirmed them */
export function describePending(pending: number, reason = "it was not asked yet"): string {
  const were = plural(pending, "deletion is", "deletions are");
  return `${pending} ${were} not confirmed by the API: ${reason}; asked again later, and by "openclaw influxion sync"`;
}
