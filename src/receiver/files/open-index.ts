import { InfluxionError } from "../../shared/problem.ts";
import { messageOf } from "./folder-lock.ts";
import { Index } from "./index-db.ts";

/**
 * SQLite's codes for a file that is damaged or something else, as opposed to one that the
 * disk, its permissions or another process keep from being used: https://sqlite.org/rescode.html
 */
const DAMAGE_CODES = [1, 11, 26];

/** @throws {InfluxionError} `RECEIVER_DAMAGED`, `RECEIVER_INDEX_UNUSABLE`, `RECEIVER_INDEX_TOO_NEW` */
export function openIndex(path: string): Index {
  try {
    return new Index(path);
  } catch (error) {
    throw error instanceof InfluxionError ? error : failure(path, error);
  }
}

function failure(path: string, error: unknown): InfluxionError {
  const options = { cause: error };
  const choose = "choose another folder with --dir";
  if (!isDamage(error)) {
    const message = `${path} cannot be used (${messageOf(error)}); see to the disk and to permissions, or ${choose}`;
    return new InfluxionError("RECEIVER_INDEX_UNUSABLE", message, options);
  }
  const message = `${path} is damaged (${messageOf(error)}); put it back, or ${choose}`;
  return new InfluxionError("RECEIVER_DAMAGED", message, options);
}

function isDamage(error: unknown): boolean {
  if (!(error instanceof Error && "errcode" in error)) return true;
  // The low byte is the kind, the others say more.
  return DAMAGE_CODES.includes(Number(error.errcode) & 0xff);
}
