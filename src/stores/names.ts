import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";

/** What stands in a folder. */
export interface Names {
  readonly names: string[];
  /** Names that are not UTF-8 and so cannot be opened by what a string can hold; each as {@link escapeName} shows it. */
  readonly broken: string[];
}

/** @throws the `ErrnoException` of `readdir` */
export async function readNames(dir: string): Promise<Names> {
  const names = await readdir(dir);
  // Read twice only then: bytes cost several times as much as strings.
  if (!names.some(mayBeBroken)) return { names, broken: [] };
  const found: Names = { names: [], broken: [] };
  for (const bytes of await readdir(dir, { encoding: "buffer" })) sortName(found, bytes);
  return found;
}

/** Folders, and links that may lead to one. @throws the `ErrnoException` of `readdir` */
export async function readFolderNames(dir: string): Promise<Names> {
  const mayBeFolder = (entry: Dirent<string> | Dirent<Buffer>): boolean =>
    entry.isDirectory() || entry.isSymbolicLink();
  const entries = (await readdir(dir, { withFileTypes: true })).filter(mayBeFolder);
  const names = entries.map(({ name }) => name);
  if (!names.some(mayBeBroken)) return { names, broken: [] };
  const found: Names = { names: [], broken: [] };
  const all = await readdir(dir, { withFileTypes: true, encoding: "buffer" });
  for (const entry of all.filter(mayBeFolder)) sortName(found, entry.name);
  return found;
}

/** Bytes that are not UTF-8 become U+FFFD in a string, which a name may also have by itself. */
const mayBeBroken = (name: string): boolean => name.includes("\ufffd");

function sortName({ names, broken }: Names, bytes: Buffer): void {
  const name = bytes.toString("utf8");
  if (Buffer.from(name).equals(bytes)) names.push(name);
  else broken.push(escapeName(bytes));
}

/** A name as it can be shown and found again: `caf\xe9.jsonl`. */
export function escapeName(bytes: Buffer): string {
  let escaped = "";
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f;
    escaped += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped;
}
