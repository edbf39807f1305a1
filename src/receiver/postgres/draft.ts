import type { Draft, Entry, PartName, Place, ReceivedPart, Stored } from "../backend.ts";
import { notStored } from "../unavailable.ts";
import type { Database } from "./database.ts";
import { type Opened, openPart } from "./writing.ts";

/**
 * Bytes of entries that wait in memory before a connection is taken. Most parts are smaller, and
 * keep none while they arrive over a slow line.
 */
const HELD_BYTES = 1024 * 1024;

/** A part on its way into the database: first held, then streamed. */
export class PostgresDraft implements Draft {
  readonly #database: Database;
  readonly #name: PartName;
  #held: Entry[] = [];
  #heldBytes = 0;
  #opened: Opened | undefined;

  constructor(database: Database, name: PartName) {
    this.#database = database;
    this.#name = name;
  }

  async add(place: Place, entries: readonly Entry[]): Promise<void> {
    this.#held.push(...entries);
    for (const { payload } of entries) this.#heldBytes += Buffer.byteLength(payload);
    if (this.#opened === undefined && this.#heldBytes < HELD_BYTES) return;
    await orNotStored(this.#write(place));
  }

  commit(part: ReceivedPart): Promise<Stored> {
    return orNotStored(this.#commit(part));
  }

  async #commit(part: ReceivedPart): Promise<Stored> {
    const opened = await this.#write(part);
    return opened.commit(part);
  }

  async #write(place: Place): Promise<Opened> {
    this.#opened ??= await openPart(this.#database, this.#name, place);
    if (this.#held.length > 0) await this.#opened.write(this.#held);
    this.#held = [];
    return this.#opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened?.dispose();
  }
}

async function orNotStored<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw notStored(error);
  }
}
