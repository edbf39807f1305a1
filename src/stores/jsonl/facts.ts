import { idsOfStem } from "../ids.ts";
import type { SessionFacts } from "../session-facts.ts";
import type { SessionsFolder } from "../session-store.ts";
import { Recordings } from "./recordings.ts";
import {
  type ByFile,
  gapIn,
  type Listed,
  listedByKeys,
  mergeListed,
  type ReadIndex,
  readSessionIndex,
  type SessionIndex,
} from "./session-index.ts";

/** What the host knows of the session in a file. */
export interface FileFacts {
  /** The session is this agent's; false for those of others in a folder that agents share. */
  readonly isOurs: boolean;
  readonly names: readonly string[];
  /** What else the host keeps of it. @default nothing */
  readonly facts?: SessionFacts | undefined;
  /** Why there may be more names, as a clause. */
  readonly namesUnknown?: string | undefined;
  /** Why it may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
}

/** What is known of files, by their names up to `.jsonl`. */
export type FactsOf = (stem: string) => FileFacts;

const NO_FACTS: FileFacts = { isOurs: true, names: [] };

/** The same where nobody asks what sessions are called. */
export const NOT_ASKED: FactsOf = () => NO_FACTS;

/** The host's lists of one agent's sessions. A session need not lie beside the list that it is in. */
export class AgentLists {
  readonly indexes: readonly SessionIndex[];
  /** Why any session of the agent may have more names, as a clause. */
  readonly #unreadable: string | undefined;

  private constructor(read: readonly ReadIndex[]) {
    this.indexes = read.flatMap((one) => (one.kind === "index" ? one.index : []));
    this.#unreadable = read.find((one) => one.kind === "unreadable")?.reason;
  }

  static async read(folders: readonly SessionsFolder[], agentId: string): Promise<AgentLists> {
    const read = folders.map(({ index }) => readSessionIndex(index, agentId));
    return new AgentLists(await Promise.all(read));
  }

  /**
   * What is known of the sessions in one of the agent's folders.
   * @param elsewhere what other agents' lists say of files in it
   * @param recordings also look for the keys of those that no list has
   */
  factsOf(dir: string, elsewhere: readonly ByFile<Listed>[], recordings: boolean): FactsOf {
    const recorded = new Recordings(dir);
    return (stem) => {
      const listed = [
        ...this.indexes.flatMap((index) => index.entriesOf(stem)),
        ...elsewhere.flatMap((entries) => entries.of(stem)),
      ];
      const ids = idsOfStem(stem).slice(1);
      if (listed.length > 0) return factsFrom(ids, listed, this.#unreadable);
      const known = recordings ? recorded.keysOf(stem) : { keys: [], unreadable: undefined };
      const namesUnknown = this.#unreadable ?? known.unreadable ?? gapIn(this.indexes);
      return factsFrom(ids, listedByKeys(known.keys, this.indexes), namesUnknown);
    };
  }
}

function factsFrom(
  ids: readonly string[],
  listed: readonly Listed[],
  namesUnknown: string | undefined,
): FileFacts {
  const { names, facts } = mergeListed(listed);
  return { ...NO_FACTS, names: [...ids, ...names], facts, namesUnknown };
}
