import { type Filter, isNamed } from "../config/filter.ts";
import type { Survey, SurveyOptions } from "../discovery/survey.ts";
import type { Agents } from "../stores/agents.ts";
import type { RunOptions } from "./options.ts";

/** What is scanned in a run. */
export function surveyOf(
  {
    agentId,
    retryBackedOff = false,
    now,
    signal,
  }: Pick<RunOptions, "agentId" | "retryBackedOff" | "now" | "signal">,
  filter: Filter,
  { agents, failures }: Agents,
): Omit<SurveyOptions, "ledger" | "target"> {
  const chosen = agents.filter(({ names }) => agentId === undefined || isNamed(names, agentId));
  return { agents: chosen, failures, filter, retryBackedOff, now, signal };
}

/** How many sessions there are; nothing of agents that are excluded is counted, so without others it is not known. */
export function foundIn({ agents }: Agents, { sessions }: Survey): { found?: number } {
  const isKnown = sessions.length > 0 || agents.every(({ excludedBy }) => excludedBy === null);
  return isKnown ? { found: sessions.length } : {};
}
