import type { Config } from "../config/config.ts";
import type { NameVerdict } from "../config/filter.ts";
import { examine, type SurveyedSession, stateByName } from "../discovery/examine.ts";
import type { Survey, SurveyOptions } from "../discovery/survey.ts";
import type { TargetRecords } from "../ledger/target.ts";
import {
  type PlanLimits,
  type PlannedSession,
  type PlanOptions,
  planParts,
} from "../planning/parts.ts";
import { moveToBack, restorePlaces } from "../planning/queue.ts";
import { MAX_PART_BYTES } from "../protocol/limits.ts";
import type { SessionResult } from "../upload/session.ts";
import type { Transform } from "../upload/transform.ts";
import type { FirstContact } from "./first-contact.ts";
import type { RunOptions } from "./options.ts";
import { transformsOf } from "./transforms.ts";
import { nameOf, Uploader, type UploaderOptions } from "./uploader.ts";

/**
 * Plans, writes the plan down and sends it, from one survey. Usually that is one round. A
 * session that has to restart is planned once more with what is left of the limits;
 * with `all`, rounds go on until nothing is waiting, each with twice the limits of the one
 * before: the ledger is written as a whole, so rounds of equal size would make the cost
 * grow with the square of what is waiting.
 *
 * @param askByName what the filter says now of each session, by its key: a label that was set since is heeded
 * @returns the sessions of the survey, with what has become of them
 */
export async function upload(
  options: UploaderOptions,
  surveyOptions: SurveyOptions,
  { sessions }: Survey,
  askByName: () => Promise<ReadonlyMap<string, NameVerdict>>,
): Promise<SurveyedSession[]> {
  const { config, target, ledger, tally, all = false } = options;
  if (!sessions.some(isPending)) {
    await ledger.save();
    return [...sessions];
  }
  const transformOf = await transformsOf(options, surveyOptions.filter, ledger);
  if (!target.hasTaken)
    options.events?.onFirstContact?.(firstContact(config, sessions, transformOf));
  const current = new Map(sessions.map((session) => [session.key, session]));
  await using uploader = new Uploader({ ...options, transformOf });
  let waiting: readonly SurveyedSession[] = sessions;
  let limits = limitsOf(config, target);
  const planned = planOptions(options, target, transformOf);
  for (;;) {
    const plan = await planParts({ ...planned, sessions: waiting, limits });
    if (plan.length === 0) break;
    const results = await sendRound(options, uploader, plan);
    if (tally.stop !== null) break;
    const again = await examineAgain(surveyOptions, options, plan, results);
    for (const session of again) current.set(session.key, session);
    if (!all && again.length === 0) break;
    waiting = all ? [...withoutPlanned(waiting, plan), ...again] : again;
    if (surveyOptions.filter.needsNames && waiting.some(isPending)) {
      waiting = stillAllowed(waiting, await askByName(), current);
    }
    limits = all ? doubled(limits) : remaining(limits, plan);
  }
  await ledger.save();
  return [...current.values()];
}

function firstContact(
  { apiUrl, deploymentId, projectId, redact }: Config,
  sessions: readonly SurveyedSession[],
  transformOf: (session: SurveyedSession) => Transform,
): FirstContact {
  const pending = sessions.filter(isPending);
  return {
    apiUrl,
    deploymentId,
    projectId,
    sessions: pending.length,
    bytes: pending.reduce(
      (sum, { state }) => sum + (state.kind === "pending" ? state.bytes : 0),
      0,
    ),
    content: [...new Set(pending.map((session) => transformOf(session).content))],
    redacts: redact.secrets,
  };
}

const isPending = ({ state }: SurveyedSession): boolean => state.kind === "pending";

function withoutPlanned(
  sessions: readonly SurveyedSession[],
  plan: readonly PlannedSession[],
): SurveyedSession[] {
  const planned = new Set(plan.map(({ session }) => session.key));
  return sessions.filter(({ key }) => !planned.has(key));
}

/** Those that may go by what they are called now; `current` takes the others. */
function stillAllowed(
  waiting: readonly SurveyedSession[],
  verdicts: ReadonlyMap<string, NameVerdict>,
  current: Map<string, SurveyedSession>,
): SurveyedSession[] {
  return waiting.filter((session) => {
    if (!isPending(session)) return false;
    const verdict = verdicts.get(session.key);
    // One that is not there any more, or cannot be listed now, is pending until the next run looks at it.
    if (verdict === undefined) return false;
    const state = stateByName(verdict);
    if (state === null) return true;
    current.set(session.key, { ...session, state, pending: [], streams: [] });
    return false;
  });
}

/** Nothing is sent before the plan is on disk. */
async function sendRound(
  { target, ledger, events }: UploaderOptions,
  uploader: Uploader,
  plan: readonly PlannedSession[],
): Promise<ReadonlyMap<string, SessionResult>> {
  events?.onPlan?.(plan.map(({ session, bytes }) => ({ ...nameOf(session), bytes })));
  for (const { session, streams } of plan) {
    for (const { stream, start, parts } of streams) {
      target.plan(session.key, stream.source, start, parts);
    }
  }
  const places = moveToBack(target, plan);
  target.setNotBefore(undefined);
  await ledger.save();
  try {
    return await uploader.send(plan, (key) => places.delete(key));
  } finally {
    restorePlaces(target, places);
    await ledger.save();
  }
}

/** Sessions of the round that have more to send in this run, as they are now. */
export async function examineAgain(
  surveyOptions: SurveyOptions,
  { all = false, tally }: Pick<UploaderOptions, "all" | "tally">,
  plan: readonly PlannedSession[],
  results: ReadonlyMap<string, SessionResult>,
): Promise<SurveyedSession[]> {
  const again: SurveyedSession[] = [];
  for (const { session, complete } of plan) {
    const result = results.get(session.key);
    const hasMore = result === "restart" || (all && result === "done" && !complete);
    if (!hasMore) continue;
    const { agent, sessionId, streams } = session;
    const now = await examine(surveyOptions, agent, sessionId, streams, tally.problems);
    if (now === null) continue;
    tally.examinedAgain(now);
    again.push(now);
  }
  return again;
}

export function limitsOf(
  { upload: { maxFilesPerRun, maxBytesPerRun } }: Config,
  target: TargetRecords,
): PlanLimits {
  return {
    maxSessions: maxFilesPerRun,
    maxBytes: maxBytesPerRun,
    maxPartBytes: target.partLimit ?? MAX_PART_BYTES,
    isFirst: true,
  };
}

function doubled({ maxSessions, maxBytes, ...limits }: PlanLimits): PlanLimits {
  return { ...limits, maxSessions: 2 * maxSessions, maxBytes: 2 * maxBytes };
}

function remaining(
  { maxSessions, maxBytes, ...limits }: PlanLimits,
  plan: readonly PlannedSession[],
): PlanLimits {
  const bytes = plan.reduce((sum, planned) => sum + planned.bytes, 0);
  return {
    ...limits,
    maxSessions: maxSessions - plan.length,
    maxBytes: maxBytes - bytes,
    isFirst: false,
  };
}

export function planOptions(
  { config, now, signal }: Pick<RunOptions, "config" | "now" | "signal">,
  target: TargetRecords,
  transformOf: (session: SurveyedSession) => Transform,
): Omit<PlanOptions, "sessions" | "limits"> {
  const at = now();
  return {
    records: target.sessions,
    destination: [config.apiUrl, config.deploymentId, config.projectId],
    capturedAt: new Date(at).toISOString(),
    transformOf: (session) => transformOf(session).version,
    now: at,
    signal,
  };
}
