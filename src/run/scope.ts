import { type Filter, isNamed } from "../config/filter.ts";
import type { Survey, SurveyOptions } from "../discovery/survey.ts";
import type { Agent, Agents } from "../stores/agents.ts";
import type { RunOptions } from "./options.ts";

/** The one that goes by this name, among its others; all of them without a name. */
export function chosenAgents(agents: readonly Agent[], name: string | undefined): Agent[] {
  return agents.filter(({ names }) => name === undefined || isNamed(names, name));
}

/** What is scanned in a run. */
export function surveyOf(
  {
    agentId,
    only,
    retryBackedOff = false,
    now,
    signal,
  }: Pick<RunOptions, "agentId" | "only" | "retryBackedOff" | "now" | "signal">,
  filter: Filter,
  { agents, failures }: Agents,
): Omit<SurveyOptions, "ledger" | "target"> {
  const chosen = chosenAgents(agents, agentId);
  return { agents: chosen, failures, filter, only, retryBackedOff, now, signal };
}

/** How many sessions there are; nothing of agents that are excluded is counted, so without others it is not known. */
export function foundIn({ agents }: Agents, { sessions }: Survey): { found?: number } {
  const isKnown = sessions.length > 0 || agents.every(({ excludedBy }) => excludedBy === null);
  return isKnown ? { found: sessions.length } : {};
}
