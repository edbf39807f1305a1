import type { RelatedNames, Store, Stream } from "./store.ts";

/** A topic of a chat has a session of its own: `<id>-topic-<topic>`. */
const TOPIC = /^(.+?)-topic-.+$/s;

/** A session that a compaction began anew: `<time>_<id>`. */
const SUCCESSOR = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}-\d{3}Z_(.+)$/s;

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
    const more = idsOf(sessionId).flatMap((id) => names.get(id) ?? []);
    const reason = found.some(({ store }) => store === from) ? undefined : unknown;
    if (more.length === 0 && reason === undefined) continue;
    const named = found.map((one) => {
      const { stream } = one;
      const namesUnknown = stream.namesUnknown ?? reason;
      return { ...one, stream: { ...stream, names: [...stream.names, ...more], namesUnknown } };
    });
    sessions.set(sessionId, named);
  }
}

function idsOf(sessionId: string): string[] {
  const ids = [sessionId, TOPIC.exec(sessionId)?.[1], SUCCESSOR.exec(sessionId)?.[1]];
  return ids.filter((id) => id !== undefined);
}
