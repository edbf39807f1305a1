import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
} from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { InfluxionError } from "./problem.ts";

/** What stands at a path is no regular file, so it is neither followed, waited for nor read. */
export class NotAFileError extends InfluxionError {
  constructor(path: string, stats: Stats | BigIntStats) {
    super("NOT_A_FILE", `${path} is ${kindOf(stats)}, and only a regular file is read`);
  }
}

/** Windows has neither; there, a name cannot be a FIFO, and a link is found by `lstat`. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Most bytes of a file that is read as a whole. */
const MAX_BYTES = 1024 ** 3;

/**
 * `lstat` of a regular file. For files that others must open, such as a database: what
 * is refused here never blocks a thread.
 *
 * @throws {NotAFileError} for a link, folder, FIFO, socket or device
 * @throws the `ErrnoException` of `lstat`
 */
export async function regularStats(path: string): Promise<BigIntStats> {
  const stats = await lstat(path, { bigint: true });
  assertRegular(path, stats);
  return stats;
}

/** The same at once: for many looks, of which the promise form would cost several times as much. */
export function regularStatsSync(path: string): BigIntStats {
  const stats = lstatSync(path, { bigint: true });
  assertRegular(path, stats);
  return stats;
}

export interface OpenFile {
  readonly file: FileHandle;
  /** Of what was opened. */
  readonly stats: Stats;
}

/**
 * Opens a regular file for reading. Every file the plugin reads is opened here: opening a FIFO
 * waits for a writer for good, and a device may do something when it is opened.
 *
 * @param isListed `lstat` has just seen a regular file there, and need not look again
 * @throws {NotAFileError} for a link, folder, FIFO, socket or device
 * @throws the `ErrnoException` of the step that failed
 */
export async function openRegular(path: string, { isListed = false } = {}): Promise<OpenFile> {
  if (!isListed) await regularStats(path);
  const file = await open(path, FLAGS);
  try {
    // Something else may have been put in its place since.
    const stats = await file.stat();
    assertRegular(path, stats);
    return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The same at once, as a descriptor that the caller closes.
 * @throws what {@link openRegular} throws
 */
export function openRegularSync(
  path: string,
  { isListed = false } = {},
): { readonly fd: number; readonly stats: Stats } {
  if (!isListed) regularStatsSync(path);
  const fd = openSync(path, FLAGS);
  try {
    const stats = fstatSync(fd);
    assertRegular(path, stats);
    return { fd, stats };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * The whole content of a small file.
 * @throws {InfluxionError} `FILE_TOO_LARGE` when it is longer than `maxBytes`
 * @throws what {@link openRegular} throws
 */
export async function readRegular(path: string, maxBytes = MAX_BYTES): Promise<Buffer> {
  const { file, stats } = await openRegular(path);
  try {
    if (stats.size > maxBytes) {
      throw new InfluxionError("FILE_TOO_LARGE", `${path} is larger than any that OpenClaw writes`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/**
 * The first bytes of a regular file, synchronously: for many small looks, of which the
 * promise form would cost several times as much.
 * @throws what {@link openRegular} throws
 */
export function readHeadSync(path: string, maxBytes: number): Buffer {
  assertRegular(path, lstatSync(path));
  const file = openSync(path, FLAGS);
  try {
    assertRegular(path, fstatSync(file));
    const buffer = Buffer.allocUnsafe(maxBytes);
    return buffer.subarray(0, readSync(file, buffer, 0, maxBytes, 0));
  } finally {
    closeSync(file);
  }
}

function assertRegular(path: string, stats: Stats | BigIntStats): void {
  if (!stats.isFile()) throw new NotAFileError(path, stats);
}

function kindOf(stats: Stats | BigIntStats): string {
  if (stats.isSymbolicLink()) return "a symlink";
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
