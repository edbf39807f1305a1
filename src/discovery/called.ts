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

/** Sorts out all that a session is called. */
export function calledOf({ names, ownNames }: Pick<SessionNames, "names" | "ownNames">): Called {
  // The host writes a key as `agent:…`; one that it never did comes first as well.
  const sessionKey = names.find((name) => parseSessionKey(name) !== null) ?? ownNames[0] ?? null;
  const ofKey = new Set(names.flatMap(partsOfKey));
  const own = new Set(ownNames);
  const others = names.filter((name) => !ofKey.has(fold(name)) && name !== sessionKey);
  const label = others.find((name) => own.has(name)) ?? null;
  return { sessionKey, label, title: others.find((name) => !own.has(name)) ?? null };
}

/** A key is among the names with and without its agent. */
function partsOfKey(name: string): string[] {
  const parsed = parseSessionKey(name);
  return parsed === null ? [] : [name, parsed.rest].map(fold);
}
