import { parseSessionKey } from "./session-key.ts";

/** Kinds of session that the host's keys, and what it keeps beside them, tell apart. A session may be of several. */
export const SESSION_KINDS = ["cron", "subagent", "heartbeat", "group", "direct"] as const;
export type SessionKind = (typeof SESSION_KINDS)[number];

/**
 * What is in the keys of each kind, in lower case and without the agent: as `classifySessionKind`,
 * `isSyntheticSessionMaintenanceKey` and `deriveSessionChatTypeFromKey` of 2026.9.6 have it, which
 * are equal in 2026.7.35 as far as both know a kind.
 */
const FORMS: Readonly<Record<SessionKind, RegExp>> = {
  cron: /^cron:/,
  subagent: /(?:^|:)subagent:/,
  heartbeat: /(?:^|:)heartbeat(?::|$)|^heartbeat-recovered-/,
  group: /(?:^|:)(?:group|channel|room):|@g\.us(?::|$)|(?:^|:)guild-[^:]+:channel-/,
  direct: /(?:^|:)(?:direct|dm):/,
};

/** Keys that are a name and no more, such as `main`, but for those that the host keeps all chats under. */
const NAMED_ONLY = /^(?!(?:global|unknown)$)(?:[^:]+|explicit:.+)$/;

/** The kinds that a key alone shows. */
export function kindsOfKey(key: string): SessionKind[] {
  const rest = restOf(key);
  return SESSION_KINDS.filter((kind) => FORMS[kind].test(rest));
}

/**
 * The kinds that a session may be of although its key does not show it: an agent's main session, and
 * one that was named, takes in direct messages; of a key of an unknown form nothing is known.
 */
export function openKindsOfKey(key: string): SessionKind[] {
  if (kindsOfKey(key).length > 0) return [];
  return NAMED_ONLY.test(restOf(key)) ? ["direct"] : ["subagent", "group", "direct"];
}

function restOf(key: string): string {
  let rest = key.trim();
  for (let at = parseSessionKey(rest); at !== null; at = parseSessionKey(rest)) rest = at.rest;
  return rest.toLowerCase();
}
