import { join } from "node:path";
import { namesOfKey, readSessionIndex, type SessionIndex } from "./session-index.ts";
import { readTrajectoryKey } from "./trajectory.ts";

/** What the host knows of the session in a file. */
export interface FileFacts {
  /** The session is this agent's; false for those of others in a folder that agents share. */
  readonly isOurs: boolean;
  readonly names: readonly string[];
  /** Why there may be more names, as a clause. */
  readonly namesUnknown?: string | undefined;
  /** Why it may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
}

/** What is known of files, by their names up to `.jsonl`. */
export type FactsOf = (stem: string) => FileFacts;

export const NO_FACTS: FileFacts = { isOurs: true, names: [] };

/** The same where nobody asks what sessions are called. */
export const NOT_ASKED: FactsOf = () => NO_FACTS;

/**
 * What the host says about the sessions in a folder that is one agent's: in its list of
 * current sessions, and else in their recordings.
 * @param index path of that list
 */
export async function readFacts(dir: string, index: string, agentId: string): Promise<FactsOf> {
  const read = await readSessionIndex(index, agentId);
  if (read.kind === "unreadable") return () => ({ ...NO_FACTS, namesUnknown: read.reason });
  const list = read.kind === "index" ? read.index : null;
  return (stem) => {
    const names = list?.namesOf(stem) ?? [];
    return { ...NO_FACTS, ...(names.length > 0 ? { names } : recordedNames(dir, stem, list)) };
  };
}

function recordedNames(
  dir: string,
  stem: string,
  list: SessionIndex | null,
): Pick<FileFacts, "names" | "namesUnknown"> {
  const recorded = readTrajectoryKey(join(dir, stem));
  switch (recorded.kind) {
    case "key":
      return { names: [...namesOfKey(recorded.key), ...(list?.titlesOf(recorded.key) ?? [])] };
    case "unknown":
      return { names: [] };
    case "unreadable":
      return { names: [], namesUnknown: recorded.reason };
  }
}
