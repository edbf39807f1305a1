import { normalizeAgentId, slugOf } from "../shared/agent-id.ts";
import { parseSessionKey } from "../shared/session-key.ts";
import type { FilterOptions } from "./config.ts";
import { compileGlob, compileIdGlob } from "./glob.ts";

/** The option that keeps a session on this machine. */
export type FilterName =
  | "filter.agents.allow"
  | "filter.agents.deny"
  | "filter.sessions.deny"
  | "filter.minBytes"
  | "filter.minMessages";

/** What a session is called, as far as its store knows. */
export interface SessionNames {
  readonly sessionId: string;
  /** What it is called besides: session keys, labels, display names. */
  readonly names: readonly string[];
  /** Why there may be more names, as a clause. */
  readonly namesUnknown?: string | undefined;
  /** Why it may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
}

export type NameVerdict =
  | { readonly kind: "passes" }
  | { readonly kind: "excluded"; readonly filter: FilterName }
  /** A filter that cannot be decided denies. */
  | { readonly kind: "undecidable"; readonly reason: string };

/** A pattern of the config that matched nothing: most often a typing error. */
export interface UnmatchedPattern {
  readonly option: FilterName;
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
  /** @param bytes size of the whole session */
  bySize(bytes: number): FilterName | null;
  /** The patterns that matched nothing of what was asked about so far. */
  unmatched(): UnmatchedPattern[];
  readonly minMessages: number;
  /** Whether sessions are told by their names or keys, so that these must be found out. */
  readonly needsNames: boolean;
  /** Whether all names of a session are asked for, also those that are costly to find. */
  readonly needsAllNames: boolean;
}

export function createFilter(options: FilterOptions): Filter {
  const allow = patterns("filter.agents.allow", options.agents.allow, matchesAgent);
  const deny = patterns("filter.agents.deny", options.agents.deny, deniesAgent);
  const sessions = patterns("filter.sessions.deny", options.sessions.deny, matchesSession);

  const asksForAgents = allow.length + deny.length > 0;
  const namesMatter = options.sessions.deny.some((pattern) => !UUID.test(pattern));
  /** Of agents that were asked about, by each id. */
  const known = new Map<string, FilterName | null>();

  const askAgent = (names: readonly string[]): FilterName | null => {
    const forms = names.map((name) => ({ text: fold(name), id: slugOf(name) }));
    const allowed = matchAny(allow, forms);
    if (matchAny(deny, forms)) return "filter.agents.deny";
    return allow.length > 0 && !allowed ? "filter.agents.allow" : null;
  };
  /** An agent is asked about with each of its sessions. */
  const asked = new WeakMap<readonly string[], FilterName | null>();
  const byAgent = (names: readonly string[]): FilterName | null => {
    const before = asksForAgents ? asked.get(names) : null;
    if (before !== undefined) return before;
    const verdict = askAgent(names);
    asked.set(names, verdict);
    for (const id of names.map(slugOf)) if (id !== "") known.set(id, known.get(id) ?? verdict);
    return verdict;
  };
  const byAgentId = (agentId: string): FilterName | null => {
    const verdict = known.get(slugOf(agentId));
    return verdict === undefined ? byAgent([agentId]) : verdict;
  };
  /** Whose the session is by its keys, which need not be the agent in whose store it is. */
  const byKeys = (agentNames: readonly string[], names: readonly string[]): FilterName | null => {
    const own = new Set(agentNames.map(slugOf));
    for (const name of names) {
      const agentId = parseSessionKey(name)?.agentId;
      const verdict = agentId === undefined || own.has(agentId) ? null : byAgentId(agentId);
      if (verdict !== null) return verdict;
    }
    return null;
  };

  return {
    minMessages: options.minMessages,
    needsNames: asksForAgents || sessions.length > 0,
    needsAllNames: sessions.length > 0,
    byAgent,
    byAgentId,
    byName(agentNames, { sessionId, names, namesUnknown, agentUnknown }) {
      const byItsAgent = asksForAgents ? (byAgent(agentNames) ?? byKeys(agentNames, names)) : null;
      if (byItsAgent !== null) return { kind: "excluded", filter: byItsAgent };
      if (agentUnknown !== undefined && asksForAgents) {
        return undecidable("filter.agents", agentUnknown);
      }
      if (matchAny(sessions, [sessionId, ...names].map(fold))) {
        return { kind: "excluded", filter: "filter.sessions.deny" };
      }
      if (namesUnknown !== undefined && namesMatter) {
        return undecidable("filter.sessions.deny", namesUnknown);
      }
      return { kind: "passes" };
    },
    bySize: (bytes) => (bytes < options.minBytes ? "filter.minBytes" : null),
    unmatched: () =>
      [...allow, ...deny, ...sessions]
        .filter(({ matched }) => !matched)
        .map(({ option, pattern }) => ({ option, pattern })),
  };
}

/** Whether an agent of these names is the one that a user calls `name`. */
export function isNamed(names: readonly string[], name: string): boolean {
  return names.some((one) => fold(one) === fold(name) || slugOf(one) === normalizeAgentId(name));
}

function undecidable(option: string, unknown: string): NameVerdict {
  return {
    kind: "undecidable",
    reason: `not sent, because ${option} cannot be decided for it: ${unknown}`,
  };
}

interface Pattern<Name> {
  readonly option: FilterName;
  readonly pattern: string;
  readonly matches: Matches<Name>;
  matched: boolean;
}

type Matches<Name> = (name: Name) => boolean;

function patterns<Name>(
  option: FilterName,
  list: readonly string[],
  matchesOf: (pattern: string) => Matches<Name>,
): Pattern<Name>[] {
  return list.map((pattern) => ({
    option,
    pattern,
    matches: matchesOf(pattern),
    matched: false,
  }));
}

/** Asks all of them, so that each is known to have matched. */
function matchAny<Name>(list: readonly Pattern<Name>[], names: readonly Name[]): boolean {
  let any = false;
  for (const pattern of list) {
    if (!names.some(pattern.matches)) continue;
    pattern.matched = true;
    any = true;
  }
  return any;
}

/** What is denied by an id as the host makes it needs no other name, so that none is missed. */
const UUID = /^\s*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$/i;

/** One form for what people do not tell apart: a capital may have several small letters, or more than one character. */
const fold = (text: string): string =>
  text
    .trim()
    .normalize("NFC")
    .toLowerCase()
    .replaceAll("ς", "σ")
    .replaceAll("i\u0307", "i")
    .normalize("NFC");

/** Takes a name as {@link fold} makes it. */
function matchesText(pattern: string): Matches<string> {
  const written = fold(pattern);
  const glob = compileGlob(written);
  // As it is written, too: a label such as "[draft] notes" is no set of characters.
  return (name) => name === written || glob(name);
}

/** Takes a name as {@link fold} makes it. The agent of a key may be written as its user calls it. */
function matchesSession(pattern: string): Matches<string> {
  const matches = matchesText(pattern);
  const [, agent = "", rest] = /^agent:([^:]+):(.+)$/is.exec(pattern.trim()) ?? [];
  if (rest === undefined) return matches;
  const matchesId = deniesAgent(agent);
  const matchesRest = matchesText(rest);
  return (name) => {
    const key = parseSessionKey(name);
    return (
      matches(name) ||
      (key !== null && matchesId({ text: key.agentId, id: key.agentId }) && matchesRest(key.rest))
    );
  };
}

interface AgentName {
  /** As {@link fold} makes it. */
  readonly text: string;
  /** The id that the host makes of it; "" for none. */
  readonly id: string;
}

const GLOB_SYNTAX = /[*?[\]{}\\]/;

function matchesAgent(pattern: string): Matches<AgentName> {
  const matches = matchesText(pattern);
  const literal = GLOB_SYNTAX.test(pattern) ? null : normalizeAgentId(pattern);
  return ({ text, id }) => matches(text) || matches(id) || id === literal;
}

/**
 * Also what the pattern may mean when only an agent's id is known, and not the name that the host
 * made it of. What may be meant is denied; nothing is allowed for that.
 */
function deniesAgent(pattern: string): Matches<AgentName> {
  const matches = matchesAgent(pattern);
  const lower = pattern.trim().toLowerCase();
  // A glob with nothing in it that an id may have, such as "é*", would match every id.
  if (!GLOB_SYNTAX.test(lower) || !/[a-z0-9_]/.test(lower)) return matches;
  const glob = compileIdGlob(lower);
  // "My Agent [old]" may be a name: then only stars are more than they look.
  const name = compileIdGlob(lower.replace(/[?[\]{}\\]/g, "\\$&"));
  return (agent) => matches(agent) || glob(agent.id) || name(agent.id);
}
