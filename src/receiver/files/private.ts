import { constants } from "node:fs";
import { chmod, type FileHandle, lstat, mkdir, open, rm, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { NotAFileError } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";
import { syncFolder } from "../../shared/replace-file.ts";

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** Group and others. Windows has no such bits; there, setting them changes nothing. */
const OTHERS = 0o077;

/** Windows has neither. */
const REGULAR_ONLY = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const READ_WRITE = constants.O_RDWR | constants.O_CREAT;

/** Less is in a file than was received. */
export class ShortFileError extends InfluxionError {
  constructor(message: string) {
    super("RECEIVER_DAMAGED", message);
  }
}

/** Makes a folder and those above it when absent. One that is no link is afterwards open to its owner only. */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolder(path);
  const stats = await lstat(path);
  if (stats.isDirectory() && (stats.mode & OTHERS) !== 0) await chmod(path, PRIVATE_FOLDER);
}

/**
 * Makes a folder and those above it when absent. Node's own recursive `mkdir` never ends
 * where a folder that exists says that a new one in it does not, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isMade(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path, PRIVATE_FOLDER).catch(async (error: unknown) => {
    // Another process may have been quicker.
    if (!(await isFolder(path))) throw error;
  });
}

/** False when the folder above is missing. */
async function isMade(path: string): Promise<boolean> {
  try {
    await mkdir(path, PRIVATE_FOLDER);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) return false;
    // On Windows, a drive is not said to exist.
    if (!(await isFolder(path))) throw error;
  }
  return true;
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() === true;
}

/** Makes a regular file private that others have open, so that it cannot be opened and closed here. */
export async function makePrivateFile(path: string): Promise<void> {
  const stats = await lstat(path);
  if (stats.isFile() && (stats.mode & OTHERS) !== 0) await chmod(path, PRIVATE_FILE);
}

/** Whether anything is at `path`. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Cuts off what a crash left behind the first `bytes` of a file.
 * @throws {ShortFileError} when the file is shorter
 */
export async function truncateTo(path: string, bytes: number): Promise<void> {
  await makePrivateFolder(dirname(path));
  await withFile(path, READ_WRITE, (file) => cutBack(file, path, bytes));
}

/**
 * Puts the content of `from` at `offset`, durably, as the new end of `path`; returns its new length.
 * @throws {ShortFileError} when the file is shorter than `offset`
 */
export async function append(path: string, offset: number, from: string): Promise<number> {
  await makePrivateFolder(dirname(path));
  return withFile(path, READ_WRITE, async (target) => {
    await cutBack(target, path, offset);
    const end = await withFile(from, constants.O_RDONLY, (source) => copy(source, target, offset));
    await target.datasync();
    return end;
  });
}

/** Removes files, so that they stay away when the power fails, and the folders that are empty then. */
export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    await syncFolder(folder);
    // There may be other things in it.
    await rmdir(folder).catch(() => undefined);
  }
}

async function cutBack(file: FileHandle, path: string, bytes: number): Promise<void> {
  const { size } = await file.stat();
  if (size < bytes) {
    throw new ShortFileError(
      `${path} has ${size} bytes, but ${bytes} were received; put it back, or choose another folder`,
    );
  }
  if (size > bytes) await file.truncate(bytes);
}

/** Opens a regular file of the receiver's and makes it private. @throws {NotAFileError} */
async function withFile<T>(
  path: string,
  flags: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags | REGULAR_ONLY, PRIVATE_FILE);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new NotAFileError(path, stats);
    if ((stats.mode & OTHERS) !== 0) await file.chmod(PRIVATE_FILE);
    return await use(file);
  } finally {
    await file.close();
  }
}

async function copy(source: FileHandle, target: FileHandle, offset: number): Promise<number> {
  const block = Buffer.allocUnsafe(256 * 1024);
  let end = offset;
  for (;;) {
    const { bytesRead } = await source.read(block);
    if (bytesRead === 0) return end;
    for (let done = 0; done < bytesRead; ) {
      const { bytesWritten } = await target.write(block, done, bytesRead - done, end);
      done += bytesWritten;
      end += bytesWritten;
    }
  }
}
