import {
  kindsOfKey,
  openKindsOfKey,
  SESSION_KINDS,
  type SessionKind,
} from "../shared/session-kind.ts";

/** What the host keeps of a session besides the names that it may be denied by. */
export interface SessionFacts {
  /**
   * Names that its user or the host gave it: keys and labels. What a session is called besides,
   * such as the title that a model made for it, is others' choice, and allows nothing.
   */
  readonly ownNames: readonly string[];
  readonly kinds: readonly SessionKind[];
  /** Kinds that it may be of as well, for all that is known. */
  readonly openKinds: readonly SessionKind[];
}

/** Of a session that nothing is kept of. */
export const NOTHING_KEPT: SessionFacts = { ownNames: [], kinds: [], openKinds: SESSION_KINDS };

/** What an entry of the host says, whatever is in it: in `sessions.json` and in `session_nodes` the members are the same. */
export interface KindMembers {
  readonly chatType?: unknown;
  readonly spawnedBy?: unknown;
  readonly heartbeatIsolatedBaseSessionKey?: unknown;
  readonly createdVia?: unknown;
}

/** The kinds that an entry shows besides those of its key. */
export function kindsOfEntry(entry: KindMembers): SessionKind[] {
  const { chatType, spawnedBy, heartbeatIsolatedBaseSessionKey, createdVia } = entry;
  const kinds = kindsOfChat(chatType);
  if (isGiven(heartbeatIsolatedBaseSessionKey)) kinds.push("heartbeat");
  if (createdVia === "cron") kinds.push("cron");
  if (isGiven(spawnedBy) || createdVia === "spawn") kinds.push("subagent");
  // What it was spawned for is what it is about.
  if (typeof spawnedBy === "string") kinds.push(...kindsOfKey(spawnedBy));
  return kinds;
}

/** A chat of a type that is not known may be of either kind. */
function kindsOfChat(chatType: unknown): SessionKind[] {
  if (!isGiven(chatType)) return [];
  const type = typeof chatType === "string" ? chatType.trim().toLowerCase() : "";
  if (type === "direct" || type === "dm") return ["direct"];
  return ["group", "channel", "room"].includes(type) ? ["group"] : ["group", "direct"];
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

/** What a key says of the session that was kept under it once, when nothing else is known. */
export function factsOfKey(key: string, ownNames: readonly string[]): SessionFacts {
  return { ownNames, kinds: kindsOfKey(key), openKinds: openKindsOfKey(key) };
}

/** All of them are about one session: what one leaves open another one may answer. */
export function mergeFacts(facts: readonly SessionFacts[]): SessionFacts {
  const [first = NOTHING_KEPT, ...others] = facts;
  if (others.length === 0) return first;
  return {
    ownNames: [...new Set(facts.flatMap(({ ownNames }) => ownNames))],
    kinds: [...new Set(facts.flatMap(({ kinds }) => kinds))],
    openKinds: SESSION_KINDS.filter((kind) =>
      facts.every(({ openKinds }) => openKinds.includes(kind)),
    ),
  };
}
