import { normalizeAgentId, slugOf } from "../shared/agent-id.ts";
import { parseSessionKey } from "../shared/session-key.ts";
import { AgentLevels } from "./agent-levels.ts";
import type { FilterOptions } from "./config.ts";
import type { ContentLevel } from "./content.ts";
import {
  type AgentName,
  agentName,
  deniesAgent,
  type FilterName,
  fold,
  matchAny,
  matchesAgent,
  type Pattern,
  type PatternOption,
  patterns,
} from "./patterns.ts";
import { needsSessionNames, SessionFilter } from "./session-filter.ts";
import { sinceTime, verdictByStart } from "./since.ts";
import { type NameVerdict, PASSES, type SessionNames, undecidable } from "./verdict.ts";

export type { FilterName } from "./patterns.ts";
export type { NameVerdict, SessionNames } from "./verdict.ts";

/** A pattern of the config that matched nothing: most often a typing error. */
export interface UnmatchedPattern {
  readonly option: PatternOption;
  readonly pattern: string;
}

/** Decides about agents and sessions by what is known without reading them. Deny wins over allow. */
export interface Filter {
  /** The filter that excludes a whole agent, or null. @param names all it is known by */
  byAgent(names: readonly string[]): FilterName | null;
  /** The same for one of which only an id is at hand; it may have been asked about by all its names before. */
  byAgentId(agentId: string): FilterName | null;
  /** @param agentNames all that its agent is known by */
  byName(agentNames: readonly string[], session: SessionNames): NameVerdict;
  /**
   * @param startTime when the session began, in ms since the epoch; null when that is not known
   * @param changedAt when it last changed
   */
  byStart(startTime: number | null, changedAt: number): NameVerdict;
  /** @param bytes size of the whole session */
  bySize(bytes: number): FilterName | null;
  /**
   * The most that a session is sent with, by what its agent is called: the least that any pattern
   * asks for. The level of the config itself is not counted.
   */
  levelOf(agentNames: readonly string[], session: SessionNames): ContentLevel;
  /** The patterns that matched nothing of what was asked about so far. */
  unmatched(): UnmatchedPattern[];
  readonly minMessages: number;
  /** See {@link needsNames}. */
  readonly needsNames: boolean;
  /** Whether all names of a session are asked for, also those that are costly to find. */
  readonly needsAllNames: boolean;
  /** Whether it is asked for when sessions began. */
  readonly needsStart: boolean;
}

/** Whether sessions are chosen by their names, keys or kinds, so that these must be found out. */
export function needsNames(options: FilterOptions): boolean {
  const { allow, deny, content } = options.agents;
  const agentsMatter = [allow, deny, Object.keys(content)].some((list) => list.length > 0);
  return agentsMatter || needsSessionNames(options);
}

/** @param firstRunAt when the plugin first ran here, in ms since the epoch: what `filter.since` may name */
export function createFilter(options: FilterOptions, firstRunAt: number): Filter {
  const allow = patterns("filter.agents.allow", options.agents.allow, matchesAgent);
  const deny = patterns("filter.agents.deny", options.agents.deny, deniesAgent);
  const agents = new AgentFilter(allow, deny);
  const levels = new AgentLevels(options.agents.content);
  const sessions = new SessionFilter(options);
  const since = options.since === undefined ? null : sinceTime(options.since, firstRunAt);
  return {
    minMessages: options.minMessages,
    needsNames: needsNames(options),
    needsAllNames: needsSessionNames(options),
    needsStart: since !== null,
    byAgent(names) {
      levels.byNames(names);
      return agents.byNames(names);
    },
    byAgentId: (agentId) => agents.byId(agentId),
    byName(agentNames, session) {
      const { names, agentUnknown } = session;
      const byAgent = agents.byNames(agentNames) ?? agents.byKeys(agentNames, names);
      if (byAgent !== null) return { kind: "excluded", filter: byAgent };
      if (agentUnknown !== undefined && agents.isSet) {
        return undecidable("filter.agents", agentUnknown);
      }
      return sessions.verdict(session);
    },
    byStart: (startTime, changedAt) =>
      since === null ? PASSES : verdictByStart(since, startTime, changedAt),
    bySize: (bytes) => (bytes < options.minBytes ? "filter.minBytes" : null),
    levelOf: (agentNames, { names, agentUnknown }) =>
      agentUnknown === undefined ? levels.bySession(agentNames, names) : levels.least(),
    unmatched: () =>
      [...allow, ...deny, ...levels.patterns, ...sessions.patterns]
        .filter(({ matched }) => !matched)
        .map(({ option, pattern }) => ({ option, pattern })),
  };
}

class AgentFilter {
  /** There is something to decide. */
  readonly isSet: boolean;
  readonly #allow: readonly Pattern<AgentName>[];
  readonly #deny: readonly Pattern<AgentName>[];
  /** Of agents that were asked about: an agent is, with each of its sessions. */
  readonly #asked = new WeakMap<readonly string[], FilterName | null>();
  /** The same by each id. */
  readonly #known = new Map<string, FilterName | null>();

  constructor(allow: readonly Pattern<AgentName>[], deny: readonly Pattern<AgentName>[]) {
    this.isSet = allow.length + deny.length > 0;
    this.#allow = allow;
    this.#deny = deny;
  }

  byNames(names: readonly string[]): FilterName | null {
    const before = this.isSet ? this.#asked.get(names) : null;
    if (before !== undefined) return before;
    const verdict = this.#ask(names.map(agentName));
    this.#asked.set(names, verdict);
    for (const id of names.map(slugOf)) {
      if (id !== "") this.#known.set(id, this.#known.get(id) ?? verdict);
    }
    return verdict;
  }

  byId(agentId: string): FilterName | null {
    const verdict = this.#known.get(slugOf(agentId));
    return verdict === undefined ? this.byNames([agentId]) : verdict;
  }

  /** By the agents that keys of a session name, which need not be the one in whose store it is. */
  byKeys(agentNames: readonly string[], names: readonly string[]): FilterName | null {
    if (!this.isSet) return null;
    const own = new Set(agentNames.map(slugOf));
    for (const name of names) {
      const agentId = parseSessionKey(name)?.agentId;
      const verdict = agentId === undefined || own.has(agentId) ? null : this.byId(agentId);
      if (verdict !== null) return verdict;
    }
    return null;
  }

  #ask(names: readonly AgentName[]): FilterName | null {
    const allowed = matchAny(this.#allow, names);
    if (matchAny(this.#deny, names)) return "filter.agents.deny";
    return this.#allow.length > 0 && !allowed ? "filter.agents.allow" : null;
  }
}

/** Whether an agent of these names is the one that a user calls `name`. */
export function isNamed(names: readonly string[], name: string): boolean {
  return names.some((one) => fold(one) === fold(name) || slugOf(one) === normalizeAgentId(name));
}
