import { stat } from "node:fs/promises";
import { errnoOf } from "../shared/problem.ts";

/**
 * What changes with every write to a file, and when it is replaced, appears or goes.
 * @param least a file with fewer bytes is as good as none
 */
export async function fileChangeToken(path: string, least = 0n): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return size < least ? "none" : `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return "none";
    throw error;
  }
}

/** Said of a database that is not there. */
export const NO_DATABASE = "none none";

/**
 * The same of a database, which changes with every commit. What was in a log without a byte
 * is in the file. The host empties it again whenever it starts or stops.
 */
export async function databaseChangeToken(path: string): Promise<string> {
  return `${await fileChangeToken(path)} ${await fileChangeToken(`${path}-wal`, 1n)}`;
}
