import { normalizeAgentId, slugOf } from "../shared/agent-id.ts";
import { parseSessionKey } from "../shared/session-key.ts";
import { compileGlob, compileIdGlob } from "./glob.ts";

/** The option that keeps a session on this machine. */
export type FilterName =
  | "filter.agents.allow"
  | "filter.agents.deny"
  | "filter.sessions.allow"
  | "filter.sessions.deny"
  | "filter.kinds"
  | "filter.since"
  | "filter.minBytes"
  | "filter.minMessages";

/** An option that has patterns, or decides by numbers. */
export type PatternOption = FilterName | "filter.agents.content";

export interface Pattern<Name> {
  readonly option: PatternOption;
  readonly pattern: string;
  readonly matches: Matches<Name>;
  matched: boolean;
}

type Matches<Name> = (name: Name) => boolean;

export function patterns<Name>(
  option: PatternOption,
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
export function matchAny<Name>(list: readonly Pattern<Name>[], names: readonly Name[]): boolean {
  let any = false;
  for (const pattern of list) {
    if (!names.some(pattern.matches)) continue;
    pattern.matched = true;
    any = true;
  }
  return any;
}

/** One form for what people do not distinguish: a capital may have several small letters, or more than one character. */
export const fold = (text: string): string =>
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
export function matchesSession(pattern: string): Matches<string> {
  return matchesNameOrKey(pattern, matchesAgent);
}

/** The same with all agents that may be meant; see {@link deniesAgent}. */
export function deniesSession(pattern: string): Matches<string> {
  return matchesNameOrKey(pattern, deniesAgent);
}

function matchesNameOrKey(
  pattern: string,
  ofAgent: (pattern: string) => Matches<AgentName>,
): Matches<string> {
  const matches = matchesText(pattern);
  const [, agent = "", rest] = /^agent:([^:]+):(.+)$/is.exec(pattern.trim()) ?? [];
  if (rest === undefined) return matches;
  const matchesId = ofAgent(agent);
  const matchesRest = matchesText(rest);
  return (name) => {
    const key = parseSessionKey(name);
    return (
      matches(name) ||
      (key !== null && matchesId({ text: key.agentId, id: key.agentId }) && matchesRest(key.rest))
    );
  };
}

export interface AgentName {
  /** As {@link fold} makes it. */
  readonly text: string;
  /** The id that the host makes of it; "" for none. */
  readonly id: string;
}

const GLOB_SYNTAX = /[*?[\]{}\\]/;
const OTHER_SYNTAX = /[?[\]{}\\]/;

export function matchesAgent(pattern: string): Matches<AgentName> {
  const matches = matchesText(pattern);
  const literal = GLOB_SYNTAX.test(pattern) ? null : normalizeAgentId(pattern);
  // "Team A*" as the host would write it; only a star means the same in a name and in an id for sure.
  const onId = OTHER_SYNTAX.test(pattern)
    ? () => false
    : compileGlob(fold(pattern).replace(/[^a-z0-9_*-]+/g, "-"));
  return ({ text, id }) => matches(text) || matches(id) || id === literal || onId(id);
}

/**
 * Also what the pattern may mean when only an agent's id is known, and not the name that the host
 * made it of. What may be meant is denied; nothing is allowed for that.
 */
export function deniesAgent(pattern: string): Matches<AgentName> {
  const matches = matchesAgent(pattern);
  const lower = pattern.trim().toLowerCase();
  // A glob with nothing in it that an id may have, such as "é*", would match every id.
  if (!GLOB_SYNTAX.test(lower) || !/[a-z0-9_]/.test(lower)) return matches;
  const glob = compileIdGlob(lower);
  // "My Agent [old]" may be a name: then only stars are more than they look.
  const name = compileIdGlob(lower.replace(/[?[\]{}\\]/g, "\\$&"));
  return (agent) => matches(agent) || glob(agent.id) || name(agent.id);
}

export function agentName(name: string): AgentName {
  return { text: fold(name), id: slugOf(name) };
}
