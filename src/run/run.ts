import { createFilter, type Filter, type NameVerdict } from "../config/filter.ts";
import { prune } from "../discovery/prune.ts";
import { askByName, type Survey, survey } from "../discovery/survey.ts";
import { knownBytes, Ledger } from "../ledger/ledger.ts";
import type { Lock } from "../ledger/lock.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { recordUndelivered } from "../planning/queue.ts";
import { isAhead } from "../shared/clock.ts";
import { findAgents } from "../stores/agents.ts";
import { isIdle } from "../stores/idle.ts";
import { MAX_RETRY_AFTER_MS } from "../upload/retry-after.ts";
import { credentialOf } from "./credential.ts";
import { describePending, sendDeletions, withoutDeleted } from "./deletions.ts";
import type { RunOptions } from "./options.ts";
import { whyPaused } from "./pause.ts";
import type { RunReport } from "./report.ts";
import { upload } from "./rounds.ts";
import { takeRunLock } from "./run-lock.ts";
import { foundIn, surveyOf } from "./scope.ts";
import { Tally } from "./tally.ts";
import type { UploaderOptions } from "./uploader.ts";

/**
 * One run: find, filter, plan, write the plan down, upload, record. Resolves with
 * what happened, also when nothing could be sent.
 *
 * @throws {LockedError} when another process uploads
 * @throws {LedgerError} when the ledger cannot be read or written
 * @throws the signal's reason when it fires; what was confirmed until then is recorded
 */
export async function run(options: RunOptions): Promise<RunReport> {
  await using lock = await takeRunLock(options);
  // Awaited here, because the lock is given back when this function returns.
  return await runLocked(options, lock);
}

async function runLocked(options: RunOptions, lock: Lock): Promise<RunReport> {
  const { stateDir, config, trigger, ignoreHold = false, now } = options;
  const startedAt = now();
  const ledger = await Ledger.open({ stateDir, now, lock });
  const target = ledger.target(config);
  const tally = new Tally(startedAt, trigger, ledger.problems, target.hasTaken);
  ledger.noteRun(startedAt);
  const heldBack =
    (await reasonPaused(options)) ?? (ignoreHold ? null : reasonToHold(target, options));
  const report =
    heldBack === null
      ? await findAndUpload({ ...options, ledger, target, tally })
      : tally.finish(heldBack, now(), false);
  const { notBefore } = target;
  if (notBefore === undefined || !isAhead(notBefore, now(), MAX_RETRY_AFTER_MS)) return report;
  return { ...report, notBefore: new Date(notBefore).toISOString() };
}

async function findAndUpload(options: UploaderOptions): Promise<RunReport> {
  const { config, ignoreHold = false, only, now, signal, ledger, target, tally } = options;
  const filter = createFilter(config.filter, ledger.firstRunAt ?? now());
  await using agents = await findAgents({ ...options, filter, knownBytes: knownBytes(target) });
  const surveyOptions = { ...surveyOf(options, filter, agents), ledger, target };
  const found = await withoutDeleted(config, agents.agents, await survey(surveyOptions), target);
  tally.problems.push(...found.problems);
  // Of some sessions nothing follows for the others.
  const isWhole = only === undefined;
  if (isWhole) prune(target, found, agents.agents);
  // Whoever asked for another try has it, whatever there is to send.
  if (ignoreHold) target.setRefused(undefined);
  const sessions = await upload(options, surveyOptions, found, () => askAgain(options, filter));
  signal.throwIfAborted();
  await record(options);
  // Where nothing arrives, nothing is deleted either.
  if (tally.stop === null && (await reasonPaused(options)) === null) await deletePending(options);
  tally.countStates({ ...found, sessions });
  const settled =
    isWhole &&
    tally.parts === 0 &&
    ledger.problems.length === 0 &&
    isSettled(found, target, tally.startedAt);
  return { ...tally.finish(null, now(), settled), ...foundIn(agents, found) };
}

/** Asks the API for what it was to delete and has not confirmed. */
async function deletePending(options: UploaderOptions): Promise<void> {
  const report = await sendDeletions({ ...options, onRetry: undefined });
  options.tally.deletions = report;
  if (report.pending === 0) return;
  const reason = report.reason ?? options.target.deletions.pending[0]?.failed?.reason;
  options.tally.problems.push({
    code: "DELETION_PENDING",
    message: describePending(report.pending, reason),
  });
}

/** Leaves to the next run what this one found out about sessions and key. */
async function record({ apiKey, now, ledger, target, tally }: UploaderOptions): Promise<void> {
  recordUndelivered(target, {
    notFound: tally.resolveNotFound(),
    exhausted: tally.exhausted,
    hasDelivered: tally.parts > 0,
  });
  if (tally.stop?.kind === "refused") {
    const { reason } = tally.stop;
    target.setRefused({ reason, at: now(), credential: credentialOf(apiKey) });
  } else if (tally.parts > 0) {
    target.setRefused(undefined);
  }
  await ledger.save();
}

/** What the filter says of each session now: the host's lists are read again. How large sessions are is not asked for. */
async function askAgain(options: RunOptions, filter: Filter): Promise<Map<string, NameVerdict>> {
  await using agents = await findAgents({ ...options, filter, knownBytes: () => 0 });
  return await askByName(surveyOf(options, filter, agents));
}

/** Whether the same scan at any later time would find the same, and nothing to do. */
function isSettled(
  { sessions, failedAgents }: Survey,
  target: TargetRecords,
  now: number,
): boolean {
  return (
    failedAgents.length === 0 &&
    sessions.every(({ state, changedAt }) => {
      const isDone = state.kind === "skipped" || (state.kind === "uploaded" && !state.growing);
      return isDone && isIdle({ changedAt }, now);
    }) &&
    // One that vanished is dropped in the end.
    Object.values(target.sessions).every(({ missing }) => missing === undefined) &&
    target.deletions.pending.length === 0
  );
}

async function reasonPaused(
  options: RunOptions,
): Promise<{ kind: "paused"; reason: string } | null> {
  const reason = await whyPaused(options);
  return reason === null ? null : { kind: "paused", reason };
}

/** Why nothing is sent now; null when it may. */
function reasonToHold(
  { refused, notBefore }: TargetRecords,
  { apiKey, now }: Pick<RunOptions, "apiKey" | "now">,
): { kind: "refused" | "unreachable"; reason: string } | null {
  if (refused !== undefined && refused.credential === credentialOf(apiKey)) {
    return { kind: "refused", reason: refused.reason };
  }
  if (notBefore !== undefined && isAhead(notBefore, now(), MAX_RETRY_AFTER_MS)) {
    const until = new Date(notBefore).toISOString();
    return { kind: "unreachable", reason: `the API asked not to be called before ${until}` };
  }
  return null;
}
