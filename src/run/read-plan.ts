import type { SurveyOptions } from "../discovery/survey.ts";
import { type PlannedSession, type PlanOptions, planParts } from "../planning/parts.ts";
import { type ReadingOptions, readingParts } from "../upload/reading.ts";
import { type SessionResult, type UploadContext, uploadSession } from "../upload/session.ts";
import type { Transform } from "../upload/transform.ts";
import type { RunOptions } from "./options.ts";
import { examineAgain } from "./rounds.ts";
import type { Tally } from "./tally.ts";

/** Looks on while all is read that a run would send. */
export interface PlanReader {
  readonly onLine?: ReadingOptions["onLine"];
  /** A session begins, or goes on in another of its streams. */
  readonly onSession?: (planned: PlannedSession, transform: Transform) => void | Promise<void>;
  /** See {@link ReadingOptions}. @returns whether to go on with the next part */
  readonly onBody?: (chunks: AsyncIterable<Buffer>) => Promise<boolean>;
}

export interface ReadPlanOptions extends Omit<UploadContext, "send" | "tally"> {
  readonly config: RunOptions["config"];
  readonly tally: Tally;
  readonly reader: PlanReader;
  readonly plan: Omit<PlanOptions, "sessions">;
  readonly surveyOptions: SurveyOptions;
  /** Go on with what a plan cannot know, as it follows what is still to be sent. */
  readonly all: boolean;
}

/**
 * Reads what is planned through all that its lines go through before they leave, and counts it as
 * delivered, in memory alone: the ledger must be open for reading only.
 *
 * @throws the signal's reason
 */
export async function readPlan(
  options: ReadPlanOptions,
  plan: readonly PlannedSession[],
): Promise<void> {
  const { surveyOptions, tally, all } = options;
  const enough = new AbortController();
  for (let round = plan; round.length > 0; ) {
    const results = await readRound(options, enough, round);
    if (enough.signal.aborted || !all) return;
    const again = await examineAgain(surveyOptions, { all, tally }, round, results);
    round = await planParts({ ...options.plan, sessions: again });
  }
}

/** Reads one session after the other, until somebody has seen enough. */
async function readRound(
  options: ReadPlanOptions,
  enough: AbortController,
  plan: readonly PlannedSession[],
): Promise<ReadonlyMap<string, SessionResult>> {
  const { target, transformOf, reader, signal } = options;
  const context = { ...options, ...contextOf(options, enough) };
  const results = new Map<string, SessionResult>();
  for (const planned of plan) {
    const { session, streams } = planned;
    for (const { stream, start, parts } of streams) {
      target.plan(session.key, stream.source, start, parts);
    }
    await reader.onSession?.(planned, transformOf(session));
    try {
      results.set(session.key, await uploadSession(planned, context));
    } catch (error) {
      if (enough.signal.aborted && !signal.aborted) break;
      throw error;
    }
  }
  return results;
}

/** Whoever has seen enough ends it like a signal would. */
function contextOf(
  { config, reader, signal }: ReadPlanOptions,
  enough: AbortController,
): Pick<UploadContext, "send" | "signal"> {
  const { deploymentId, projectId } = config;
  const stop = AbortSignal.any([signal, enough.signal]);
  const onBody = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    if ((await reader.onBody?.(chunks)) === false) enough.abort();
    stop.throwIfAborted();
  };
  const options = { deploymentId, projectId, signal: stop, onLine: reader.onLine };
  const send = readingParts({ ...options, onBody: reader.onBody && onBody });
  return { send, signal: stop };
}
