import type { SessionKind } from "../shared/session-kind.ts";
import type { FilterOptions } from "./config.ts";
import {
  deniesSession,
  fold,
  matchAny,
  matchesSession,
  type Pattern,
  patterns,
} from "./patterns.ts";
import { type NameVerdict, PASSES, type SessionNames, undecidable } from "./verdict.ts";

/** What is denied by an id as the host makes it needs no other name, so that none is missed. */
const UUID = /^\s*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$/i;

/** Whether a filter goes by what sessions are called, or by their kinds. */
export function needsSessionNames({ sessions, kinds }: FilterOptions): boolean {
  return sessions.allow.length + sessions.deny.length + kinds.length > 0;
}

/** Decides about sessions by what they are called, and by their kinds. */
export class SessionFilter {
  readonly #allow: readonly Pattern<string>[];
  readonly #deny: readonly Pattern<string>[];
  readonly #kinds: readonly SessionKind[];
  /** Whether other names than ids are denied. */
  readonly #deniesNames: boolean;

  constructor({ sessions, kinds }: FilterOptions) {
    this.#allow = patterns("filter.sessions.allow", sessions.allow, matchesSession);
    this.#deny = patterns("filter.sessions.deny", sessions.deny, deniesSession);
    this.#deniesNames = sessions.deny.some((pattern) => !UUID.test(pattern));
    this.#kinds = kinds;
  }

  get patterns(): readonly Pattern<string>[] {
    return [...this.#allow, ...this.#deny];
  }

  /** An exclusion that is certain comes first: what cannot be decided is told as a failure. */
  verdict(session: SessionNames): NameVerdict {
    const { sessionId, names, ownNames, namesUnknown } = session;
    // Asked also where the session is denied, so that the pattern is known to have matched.
    const isAllowed = this.#allow.length === 0 || matches(this.#allow, [sessionId, ...ownNames]);
    if (matches(this.#deny, [sessionId, ...names])) {
      return { kind: "excluded", filter: "filter.sessions.deny" };
    }
    if (this.#kinds.some((kind) => session.kinds.includes(kind))) {
      return { kind: "excluded", filter: "filter.kinds" };
    }
    if (!isAllowed && namesUnknown === undefined) {
      return { kind: "excluded", filter: "filter.sessions.allow" };
    }
    return this.#undecided(session, isAllowed) ?? PASSES;
  }

  #undecided({ namesUnknown, openKinds }: SessionNames, isAllowed: boolean): NameVerdict | null {
    if (namesUnknown !== undefined) {
      if (this.#deniesNames) return undecidable("filter.sessions.deny", namesUnknown);
      if (this.#kinds.length > 0) return undecidable("filter.kinds", namesUnknown);
      if (!isAllowed) return undecidable("filter.sessions.allow", namesUnknown);
    }
    const open = this.#kinds.filter((kind) => openKinds.includes(kind));
    if (open.length === 0) return null;
    const kinds = open.join(" or ");
    return undecidable(
      "filter.kinds",
      `nothing that OpenClaw keeps says whether it is of the kind ${kinds}`,
    );
  }
}

function matches(list: readonly Pattern<string>[], names: readonly string[]): boolean {
  return list.length > 0 && matchAny(list, names.map(fold));
}
