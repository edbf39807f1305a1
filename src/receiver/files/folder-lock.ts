import { join } from "node:path";
import { type FileLock, tryLockFile } from "../../shared/file-lock.ts";
import { InfluxionError } from "../../shared/problem.ts";

/**
 * Keeps a second receiver out of the folder; resolves with how to let go. The lock is not on the
 * index itself, which others may read meanwhile.
 *
 * @throws {InfluxionError} `RECEIVER_DIR_IN_USE`, `RECEIVER_DAMAGED`
 */
export async function lockFolder(dir: string): Promise<() => void> {
  const lock = await tryLock(join(dir, "lock.sqlite"));
  if (lock !== null) return () => lock[Symbol.dispose]();
  throw new InfluxionError(
    "RECEIVER_DIR_IN_USE",
    `another receiver stores into ${dir}; stop it, or choose another folder`,
  );
}

async function tryLock(path: string): Promise<FileLock | null> {
  try {
    return await tryLockFile(path);
  } catch (error) {
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `a second receiver cannot be kept out: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
