import { idsOfStem } from "./ids.ts";
import { mergeFacts, NOTHING_KEPT } from "./session-facts.ts";
import type { RelatedNames, Store, Stream } from "./store.ts";

/** A stream and where it was listed. */
interface Listed {
  readonly store: Store;
  readonly stream: Stream;
}

/**
 * Adds the names that one store knows of sessions which are, also or only, in another one of the agent.
 * @param from null where that store is not open
 */
export function addRelatedNames<T extends Listed>(
  sessions: Map<string, T[]>,
  from: Store | null,
  { names, unknown }: RelatedNames,
): void {
  if (names.size === 0 && unknown === undefined) return;
  for (const [sessionId, found] of sessions) {
    const more = idsOfStem(sessionId).flatMap((id) => names.get(id) ?? []);
    const reason = found.some(({ store }) => store === from) ? undefined : unknown;
    if (more.length === 0 && reason === undefined) continue;
    const named = found.map((one) => {
      const { stream } = one;
      return {
        ...one,
        stream: {
          ...stream,
          names: [...stream.names, ...more.flatMap(({ names }) => names)],
          facts: mergeFacts([stream, ...more].map(({ facts = NOTHING_KEPT }) => facts)),
          namesUnknown: stream.namesUnknown ?? reason,
        },
      };
    });
    sessions.set(sessionId, named);
  }
}
