import { type FileHandle, rm } from "node:fs/promises";
import type { Draft, Entry, Place, ReceivedPart, Stored } from "../backend.ts";

/** Keeps the entries of a part in a file of their own, one a line, until they are committed. */
export class FileDraft implements Draft {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #commit: (part: ReceivedPart) => Promise<Stored>;

  constructor(path: string, file: FileHandle, commit: (part: ReceivedPart) => Promise<Stored>) {
    this.#path = path;
    this.#file = file;
    this.#commit = commit;
  }

  async add(_place: Place, entries: readonly Entry[]): Promise<void> {
    await this.#file.appendFile(entries.map(({ payload }) => `${payload}\n`).join(""));
  }

  commit(part: ReceivedPart): Promise<Stored> {
    return this.#commit(part);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}
