import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StoreError } from "../../shared/problem.ts";
import { type JsonlReader, openJsonl } from "../jsonl/reader.ts";
import type { Stream } from "../store.ts";

/** Beside the `sessions/` folder: where the host keeps the JSONL files it has imported. */
const FOLDER = "session-sqlite-import-archive";

/** `<session key>.<file name>.imported-<ms>`; both may have dots in them. */
const IMPORTED = /^(.+)\.imported-\d+(?:\.\d+)?$/;

/** The host makes names of what is left of a file's name by this, cut to this length. */
const REPLACED = /[^A-Za-z0-9_.-]+/g;
const NAME_LENGTH = 160;

/** The files that sessions were imported from when the host moved them into its database. */
export class Originals {
  readonly #dir: string;
  readonly #now: () => number;
  #names: Promise<Map<string, string[]>> | undefined;

  /** @param now wall clock, in ms since the epoch */
  constructor(sessionsDir: string, now: () => number) {
    this.#dir = join(dirname(sessionsDir), FOLDER);
    this.#now = now;
  }

  /**
   * Opens what may be the session's original, one after the other; each is closed when
   * the next is asked for. A name stands for several sessions at times: compare the content.
   */
  async *of(stream: Stream, signal?: AbortSignal): AsyncGenerator<JsonlReader> {
    this.#names ??= namesIn(this.#dir);
    const name = `${stream.sessionId}.jsonl`.replace(REPLACED, "_").slice(0, NAME_LENGTH);
    for (const source of (await this.#names).get(name) ?? []) {
      const reader = await this.#open({ ...stream, source, rank: source }, signal);
      if (reader === null) continue;
      try {
        yield reader;
      } finally {
        await reader.close();
      }
    }
  }

  /** Null when it is gone, or no session: then it is nobody's original. */
  async #open(stream: Stream, signal?: AbortSignal): Promise<JsonlReader | null> {
    try {
      return await openJsonl(join(this.#dir, stream.source), stream, this.#now, signal);
    } catch (error) {
      if (error instanceof StoreError) return null;
      throw error;
    }
  }
}

/** Files by all that may be the original's name in theirs. Without the folder there are none. */
async function namesIn(dir: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const file of await readdir(dir).catch((): string[] => [])) {
    const name = IMPORTED.exec(file)?.[1] ?? "";
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const rest = name.slice(dot + 1);
      const files = found.get(rest);
      if (files === undefined) found.set(rest, [file]);
      else files.push(file);
    }
  }
  return found;
}
