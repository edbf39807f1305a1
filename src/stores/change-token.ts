import { stat } from "node:fs/promises";
import { errnoOf } from "../shared/problem.ts";

/** What changes with every write to a file, and when it is replaced, appears or goes. */
export async function fileChangeToken(path: string): Promise<string> {
  return await tokenOf(path, () => false);
}

/** Said of a database that is not there. */
export const NO_DATABASE = "none none";

/**
 * The same of a database, which changes with every commit. A log without a byte is as good as none: what was
 * in it is in the file. The host empties it again whenever it starts or stops.
 */
export async function databaseChangeToken(path: string): Promise<string> {
  return `${await fileChangeToken(path)} ${await tokenOf(`${path}-wal`, (size) => size === 0n)}`;
}

async function tokenOf(path: string, isNone: (size: bigint) => boolean): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    if (isNone(size)) return "none";
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return "none";
    throw error;
  }
}
