import { createFilter, type UnmatchedPattern } from "../config/filter.ts";
import { type Survey, survey, unmatchedPatterns } from "../discovery/survey.ts";
import { knownBytes, Ledger } from "../ledger/ledger.ts";
import type { Deletion } from "../ledger/schema.ts";
import { type PlannedSession, planParts } from "../planning/parts.ts";
import type { Problem } from "../shared/problem.ts";
import { findAgents } from "../stores/agents.ts";
import { withoutDeleted } from "./deletions.ts";
import type { RunOptions } from "./options.ts";
import { type PlanReader, readPlan } from "./read-plan.ts";
import type { RunReport } from "./report.ts";
import { limitsOf, planOptions } from "./rounds.ts";
import { foundIn, surveyOf } from "./scope.ts";
import { Tally } from "./tally.ts";
import { transformsOf } from "./transforms.ts";

/** What a dry run is done with: no key is needed, only what must never leave. */
export interface DryRunOptions
  extends Omit<RunOptions, "apiKey" | "lockWaitMs" | "random" | "events"> {
  /** @default not known */
  readonly apiKey?: string;
  /** @default nobody looks on */
  readonly reader?: PlanReader | undefined;
  /** Read on behind the plan, as further runs would, until nothing is left. @default false */
  readonly toTheEnd?: boolean | undefined;
}

export interface DryRun {
  readonly plan: readonly PlannedSession[];
  readonly survey: Survey;
  /** What the run would report if all of it was taken. */
  readonly report: RunReport;
  /** Messages in what would be sent, by the key of their session. */
  readonly messages: ReadonlyMap<string, number>;
  /** What the API would be asked to delete. */
  readonly deletions: readonly Deletion[];
  readonly problems: readonly Problem[];
  readonly unmatched: readonly UnmatchedPattern[];
}

/**
 * What a run would send now; with `all`, what it would send until nothing is waiting. All of it is
 * read, through what it would go through. Touches neither network, ledger nor lock.
 *
 * @throws {InfluxionError} `REDACT_INVALID`
 * @throws the signal's reason
 */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { stateDir, config, now, all = false, toTheEnd = false, only, trigger } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const target = ledger.target(config);
  const filter = createFilter(config.filter, ledger.firstRunAt ?? now());
  await using agents = await findAgents({ ...options, filter, knownBytes: knownBytes(target) });
  const surveyOptions = { ...surveyOf(options, filter, agents), ledger, target };
  const found = await withoutDeleted(config, agents.agents, await survey(surveyOptions), target);
  const limits = limitsOf(config, target);
  const transformOf = await transformsOf(options, filter, ledger);
  const planned = {
    ...planOptions(options, target, transformOf),
    limits: all ? { ...limits, maxSessions: Infinity, maxBytes: Infinity } : limits,
    // What was planned before and has not arrived counts with the rest of its session.
    replan: all && !toTheEnd,
  };
  const plan = await planParts({ ...planned, sessions: found.sessions });
  const tally = new Tally(now(), trigger, ledger.problems, target.hasTaken);
  tally.problems.push(...found.problems);
  const { reader = {} } = options;
  const context = { ...options, reader, ledger, target, tally, transformOf, surveyOptions };
  await readPlan({ ...context, plan: planned, all: toTheEnd }, plan);
  tally.countStates(found);
  const report = { ...tally.finish(null, now(), false), ...foundIn(agents, found) };
  // Among the sessions of one agent, many a pattern matches nothing.
  const isAll = options.agentId === undefined && only === undefined;
  const unmatched = isAll ? unmatchedPatterns(filter, found) : [];
  const problems = [...ledger.problems, ...tally.problems];
  const deletions = target.deletions.pending;
  const { messages } = tally;
  return { plan, survey: found, report, messages, deletions, problems, unmatched };
}
