import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { idsOfStem } from "../ids.ts";
import { readTrajectoryKey } from "./trajectory.ts";

/** Where a host upgrade puts recordings, beside `sessions/`: `<key>.<name>.trajectory.jsonl.imported-<ms>`. */
const ARCHIVE = "session-sqlite-import-archive";

const IMPORTED = /\.imported-\d+(?:\.\d+)?$/;

/** The host makes names of what is left of a file's name by this. */
const REPLACED = /[^A-Za-z0-9_.-]+/g;

export interface RecordedKeys {
  readonly keys: readonly string[];
  /** Why there may be more, as a clause. */
  readonly unreadable: string | undefined;
}

/** What OpenClaw's debug recorder notes of the sessions in a folder: the keys they were kept under. */
export class Recordings {
  readonly #dir: string;
  /** What was moved to the archive; looked for once. */
  #archived: readonly Imported[] | undefined;

  /** @param dir of the sessions */
  constructor(dir: string) {
    this.#dir = dir;
  }

  keysOf(stem: string): RecordedKeys {
    const ids = idsOfStem(stem);
    const beside = ids.map((id) => join(this.#dir, `${id}.trajectory.jsonl`));
    const read = [...beside, ...ids.flatMap((id) => this.#archivedOf(id))].map(readTrajectoryKey);
    return {
      keys: read.flatMap((one) => (one.kind === "key" ? one.key : [])),
      unreadable: read.find((one) => one.kind === "unreadable")?.reason,
    };
  }

  #archivedOf(id: string): string[] {
    const dir = join(dirname(this.#dir), ARCHIVE);
    this.#archived ??= importedIn(dir);
    const end = `.${id.replace(REPLACED, "_")}.trajectory.jsonl`;
    return this.#archived
      .filter(({ original }) => original.endsWith(end))
      .map(({ name }) => join(dir, name));
  }
}

interface Imported {
  readonly name: string;
  /** `<key>.<name>` */
  readonly original: string;
}

function importedIn(dir: string): Imported[] {
  try {
    return readdirSync(dir).map((name) => ({ name, original: name.replace(IMPORTED, "") }));
  } catch {
    // Hosts that were never upgraded have none, and what cannot be read here has no other place.
    return [];
  }
}
