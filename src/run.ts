import { createHash } from "node:crypto";
import pLimit from "p-limit";
import type { Config } from "./config.ts";
import { createFilter, type Filter, isNamed, type UnmatchedPattern } from "./filter.ts";
import type { HostLayout } from "./layout.ts";
import { knownBytes, Ledger } from "./ledger/ledger.ts";
import type { LockOwner } from "./ledger/lock.ts";
import type { Target } from "./ledger/schema.ts";
import { type PlannedSession, planParts } from "./parts.ts";
import type { Problem } from "./problem.ts";
import { leaveOutUnbegun, prune } from "./prune.ts";
import { type RunReport, Tally } from "./report.ts";
import { takeRunLock } from "./run-lock.ts";
import { type Agents, findAgents } from "./stores/agents.ts";
import { isAtRest, MAX_PART_BYTES } from "./stores/store.ts";
import { isAhead, type Survey, type SurveyedSession, survey, unmatchedPatterns } from "./survey.ts";
import { giveTurnsBack, settleSpent, takeTurns } from "./turns.ts";
import { CodingChoice, type KnownCoding } from "./upload/coding.ts";
import { Pacer, type SendOptions } from "./upload/part.ts";
import { MAX_RETRY_AFTER_MS } from "./upload/retry.ts";
import { uploadSession } from "./upload/session.ts";
import { VERSION } from "./version.ts";

export interface RunOptions {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. @default nothing */
  readonly layout?: HostLayout | undefined;
  readonly config: Config;
  /** The key itself, whatever form the config gives it. */
  readonly apiKey: string;
  readonly proxyUrl?: string | undefined;
  /** A command tries again what the interval leaves alone for a while. */
  readonly trigger: "interval" | "command";
  /** Also try sessions that were put aside and are not due yet. @default what `trigger` says */
  readonly retryAside?: boolean | undefined;
  /** Only this agent, by any of its names. */
  readonly agentId?: string | undefined;
  /** How long to wait for another uploader, in ms. */
  readonly lockWaitMs: number;
  readonly signal: AbortSignal;
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly events?: RunEvents;
}

/** What a caller may show while a run goes on: plain data, so that it can come from another thread. */
export interface RunEvents {
  onWait?(owner: LockOwner | null): void;
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

/**
 * One run: find, filter, plan, write the plan down, upload, record. Resolves with
 * what happened, also when nothing could be sent.
 *
 * @throws {LockedError} when another process uploads
 * @throws {LedgerError} when the ledger cannot be read or written
 * @throws the signal's reason when it fires; what was confirmed until then is recorded
 */
export async function run(options: RunOptions): Promise<RunReport> {
  await using _lock = await takeRunLock(options);
  // Awaited here, because the lock is given back when this function returns.
  return await runLocked(options);
}

/** {@link run} for a caller that holds the lock. */
export async function runLocked(options: Omit<RunOptions, "lockWaitMs">): Promise<RunReport> {
  const { stateDir, config, trigger, now, events } = options;
  const startedAt = now();
  const ledger = await Ledger.open({ stateDir, now });
  const target = ledger.target(config);
  const tally = new Tally(startedAt, trigger, ledger.problems);
  const heldBack = trigger === "interval" ? reasonToHold(target, options) : null;
  if (heldBack !== null) return tally.finish(heldBack, now(), false);

  const filter = createFilter(config.filter);
  await using agents = await findAgents({ ...options, filter, knownBytes: knownBytes(target) });
  const found = await look(options, ledger, target, filter, agents);
  tally.problems.push(...found.problems);
  prune({ ledger, target, survey: found, agents: agents.agents, now: now() });

  const plan = await planParts(planOptions(options, target, found.sessions));
  events?.onPlan?.(plan.map(({ session, bytes }) => ({ ...nameOf(session), bytes })));
  const turns = takeTurns(target, plan, now());
  if (plan.length > 0) ledger.changed();
  leaveOutUnbegun(target);
  await ledger.save();
  try {
    await upload(options, ledger, target, plan, tally, (key) => turns.delete(key));
    settleSpent(target, tally, now());
  } finally {
    giveTurnsBack(target, turns);
    if (plan.length > 0) ledger.changed();
    await ledger.save();
  }
  tally.countStates(found);
  const settled = ledger.problems.length === 0 && isSettled(found, target, startedAt);
  const report = tally.finish(null, now(), settled);
  return { ...report, ...foundIn(agents, found), databases: agents.databases };
}

/** How many sessions there are; nothing of agents that are excluded is counted, so without others it is not known. */
function foundIn({ agents }: Agents, { sessions }: Survey): { found?: number } {
  const isKnown = sessions.length > 0 || agents.every(({ excludedBy }) => excludedBy === null);
  return isKnown ? { found: sessions.length } : {};
}

/**
 * What a run would send now; with `all`, what runs would send until nothing is
 * waiting. Touches neither network, ledger nor lock.
 */
export async function dryRun(
  options: Omit<RunOptions, "apiKey" | "lockWaitMs" | "random" | "events"> & { all?: boolean },
): Promise<{
  plan: PlannedSession[];
  survey: Survey;
  /** See {@link RunReport}. */
  found?: number;
  problems: Problem[];
  unmatched: UnmatchedPattern[];
}> {
  const { stateDir, config, now, all = false } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const target = ledger.target(config);
  const filter = createFilter(config.filter);
  await using agents = await findAgents({ ...options, filter, knownBytes: knownBytes(target) });
  const found = await look(options, ledger, target, filter, agents);
  const plan = planOptions(options, target, found.sessions);
  let { limits } = plan;
  if (all) {
    limits = { ...limits, maxSessions: Infinity, maxBytes: Infinity };
    // What was planned before and has not arrived counts with the rest of its session.
    for (const { pending } of found.sessions) for (const { record } of pending) delete record.parts;
  }
  const problems = [...ledger.problems, ...found.problems];
  // Among the sessions of one agent, many a pattern matches nothing.
  const unmatched = options.agentId === undefined ? unmatchedPatterns(filter, found) : [];
  return {
    plan: await planParts({ ...plan, limits }),
    survey: found,
    ...foundIn(agents, found),
    problems,
    unmatched,
  };
}

/** Whether the same look at any later time would find the same, and nothing to do. */
function isSettled({ sessions, failedAgents }: Survey, target: Target, now: number): boolean {
  return (
    failedAgents.length === 0 &&
    sessions.every(({ state, changedAt }) => {
      const isDone = state.kind === "skipped" || (state.kind === "uploaded" && !state.growing);
      return isDone && isAtRest({ changedAt }, now);
    }) &&
    // One that vanished is forgotten in the end.
    Object.values(target.sessions).every(({ missingSince }) => missingSince === undefined)
  );
}

const nameOf = ({ agentId, sessionId }: SessionName): SessionName => ({ agentId, sessionId });

function look(
  options: Omit<RunOptions, "apiKey" | "lockWaitMs" | "random" | "events">,
  ledger: Ledger,
  target: Target,
  filter: Filter,
  { agents, failures }: Agents,
): Promise<Survey> {
  const { agentId, now, signal } = options;
  const chosen = agents.filter(({ names }) => agentId === undefined || isNamed(names, agentId));
  const retryAside = options.retryAside ?? options.trigger === "command";
  return survey({ agents: chosen, failures, filter, ledger, target, retryAside, now, signal });
}

function planOptions(
  { config, now, signal }: Pick<RunOptions, "config" | "now" | "signal">,
  target: Target,
  sessions: readonly SurveyedSession[],
): Parameters<typeof planParts>[0] {
  const { maxFilesPerRun, maxBytesPerRun } = config.upload;
  return {
    sessions,
    records: target.sessions,
    limits: {
      maxSessions: maxFilesPerRun,
      maxBytes: maxBytesPerRun,
      maxPartBytes: target.partLimit ?? MAX_PART_BYTES,
    },
    destination: [config.apiUrl, config.deploymentId, config.projectId],
    capturedAt: new Date(now()).toISOString(),
    signal,
  };
}

/** Why the interval sends nothing now; null when it may. */
function reasonToHold(
  { refused, notBefore }: Target,
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

/** Tells whether a key has changed without keeping it. */
function credentialOf(apiKey: string): string {
  return createHash("sha256")
    .update("influxion credential\0")
    .update(apiKey)
    .digest("hex")
    .slice(0, 16);
}

async function upload(
  options: Omit<RunOptions, "lockWaitMs">,
  ledger: Ledger,
  target: Target,
  plan: readonly PlannedSession[],
  tally: Tally,
  onBegin: (key: string) => void,
): Promise<void> {
  // A user who syncs asks for another try, whatever there is to send.
  if (options.trigger === "command" && target.refused !== undefined) {
    delete target.refused;
    ledger.changed();
  }
  if (plan.length === 0) return;
  delete target.notBefore;
  const { config, apiKey, proxyUrl, signal, now, random, events } = options;
  const { timeoutMs, retryAttempts, retryBackoffMs } = config.upload;
  const stop = new AbortController();
  // Not needed, and not loaded, while there is nothing to send.
  const { createClient } = await import("./upload/client.ts");
  const client = createClient({
    apiUrl: config.apiUrl,
    apiKey,
    timeoutMs,
    version: VERSION,
    proxyUrl,
  });
  const pacer = new Pacer();
  const codings = new CodingChoice(target.coding);
  const limit = pLimit(compressors(config.upload.concurrency));
  const running = AbortSignal.any([signal, stop.signal]);
  const send = (session: SurveyedSession): SendOptions => ({
    client,
    pacer,
    codings,
    deploymentId: config.deploymentId,
    projectId: config.projectId,
    retryAttempts,
    retryBackoffMs,
    signal: running,
    now,
    random,
    onBytes: (bytes) => {
      tally.wireBytes += bytes;
      events?.onBytes?.(bytes);
    },
    onRetry: (reason, waitMs) => events?.onRetry?.(nameOf(session), reason, waitMs),
  });
  const failures: unknown[] = [];
  const uploads = plan.map((planned) =>
    limit(async () => {
      if (running.aborted) return;
      const { session } = planned;
      onBegin(session.key);
      const context = { ledger, target, tally, now, send: send(session) };
      try {
        const result = await uploadSession(planned, context);
        events?.onSession?.(nameOf(session), result);
      } catch (error) {
        failures.push(error);
      }
      // What ends the run also ends the sessions in flight; only the first reason counts.
      if (failures.length > 0 || tally.stop !== null) stop.abort(failures[0]);
    }),
  );
  try {
    await Promise.all(uploads);
  } finally {
    await client.close();
    rememberCoding(ledger, target, codings.known);
  }
  signal.throwIfAborted();
  if (tally.stop === null && failures.length > 0) throw failures[0];
  if (tally.stop?.kind === "refused") {
    target.refused = { reason: tally.stop.reason, at: now(), credential: credentialOf(apiKey) };
    ledger.changed();
  } else if (tally.parts > 0 && target.refused !== undefined) {
    delete target.refused;
    ledger.changed();
  }
}

function rememberCoding(ledger: Ledger, target: Target, known: KnownCoding): void {
  if (known === target.coding) return;
  if (known === undefined) delete target.coding;
  else target.coding = known;
  ledger.changed();
}

/** libuv's pool has four threads unless the environment says otherwise; half of them stay with the Gateway. */
function compressors(concurrency: number): number {
  const pool = Number(process.env.UV_THREADPOOL_SIZE ?? 4) || 4;
  return Math.max(1, Math.min(concurrency, Math.floor(pool / 2)));
}
