import { randomUUID } from "node:crypto";
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "./problem.ts";

/** What Windows says while somebody has the file open, e.g. a virus scanner or a reader. */
const IN_USE = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Waits between attempts at replacing a file on Windows, in ms. */
const RENAME_WAITS_MS = [5, 10, 20, 50, 100, 200, 400];

/** A younger temporary file, in ms, may be of a process that is writing now. */
const LEFT_AFTER_MS = 60_000;

/** What the temporary files for `path` begin with, also one that a killed process left behind. */
export function tempPrefix(path: string): string {
  return `.influxion-${basename(path, ".json")}`;
}

/**
 * Replaces a file whole or not at all, also when the power fails: temp file, fsync,
 * rename, fsync of the folder. File and missing folders are for their owner alone.
 * @param write for a test that needs a full disk
 * @throws the `ErrnoException` of the step that failed; the file is then what it was
 */
export async function replaceFile(
  path: string,
  text: string,
  write = (file: FileHandle) => file.writeFile(text),
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temp = join(folder, `${tempPrefix(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temp, "wx", 0o600);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameOver(temp, path);
  } catch (error) {
    await unlink(temp).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Renames a file over another one. On Windows that fails while somebody has the other one open, which
 * readers and virus scanners do for an instant, so it is tried again for less than a second.
 * @param system for a test of that without Windows
 */
export async function renameOver(
  from: string,
  to: string,
  system = { platform: process.platform as string, rename },
): Promise<void> {
  for (const waitMs of RENAME_WAITS_MS) {
    try {
      return await system.rename(from, to);
    } catch (error) {
      if (system.platform !== "win32" || !IN_USE.has(errnoOf(error))) throw error;
    }
    await sleep(waitMs);
  }
  await system.rename(from, to);
}

/** Removes the temporary files for `path` that killed processes left behind. Best effort. */
export async function removeLeftTemps(path: string): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => []);
  const temps = names.filter((name) => name.startsWith(`${tempPrefix(path)}.`));
  await Promise.allSettled(
    temps.map(async (name) => {
      const { mtimeMs } = await lstat(join(folder, name));
      // A time in the future is from before the clock was set back.
      if (Math.abs(Date.now() - mtimeMs) > LEFT_AFTER_MS) await unlink(join(folder, name));
    }),
  );
}

/** Best effort, for what was done to it is done by now: Windows and some network disks cannot. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // It then becomes durable whenever the file system writes it down.
  }
}
