import { fold } from "../config/patterns.ts";
import type { SessionNames } from "../config/verdict.ts";
import { parseSessionKey } from "../shared/session-key.ts";

/** What people know a session by. */
export interface Called {
  /** The first of its keys in the host; null for one that is kept under none. */
  readonly sessionKey: string | null;
  /** What its user calls it. */
  readonly label: string | null;
  /** What it is called besides, such as the title that a model made for it, or the name of its chat. */
  readonly title: string | null;
}

type Names = Pick<SessionNames, "sessionId" | "names" | "ownNames">;

/** Sorts out all that a session is called; what its id or its key says already is no further name. */
export function calledOf({ sessionId, names, ownNames }: Names): Called {
  const sessionKey = names.find((name) => parseSessionKey(name) !== null) ?? null;
  const said = new Set([sessionId, ...names.flatMap(partsOfKey)].map(fold));
  const own = new Set(ownNames);
  // An id may have the time in front of what the host calls the session by.
  const isId = (name: string): boolean => sessionId.endsWith(`_${name}`);
  const others = names.filter((name) => !said.has(fold(name)) && !isId(name));
  const label = others.find((name) => own.has(name)) ?? null;
  return { sessionKey, label, title: others.find((name) => !own.has(name)) ?? null };
}

/** The key with and without its agent, and each of its ends: `agent:main:explicit:notes` is `notes` as well. */
function partsOfKey(name: string): string[] {
  const parsed = parseSessionKey(name);
  if (parsed === null) return [];
  const parts = parsed.rest.split(":");
  return [name, ...parts.map((_, at) => parts.slice(at).join(":"))];
}
