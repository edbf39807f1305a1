import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

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
    await rename(temp, path);
  } catch (error) {
    await unlink(temp).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/** Best effort, for the file has been replaced by now: Windows and some network disks cannot. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // The rename then becomes durable whenever the file system writes it down.
  }
}
