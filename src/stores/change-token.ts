import { stat } from "node:fs/promises";
import { errnoOf } from "../shared/problem.ts";

/** What changes with every write to a file, and when it is replaced, appears or goes. */
export async function fileChangeToken(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return "none";
    throw error;
  }
}
