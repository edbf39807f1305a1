import { createHash } from "node:crypto";
import { access, constants, readdir, rmdir, statfs, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { NotAFileError, readRegular } from "../shared/open-file.ts";
import { errnoOf, InfluxionError, type Problem } from "../shared/problem.ts";
import { renameOver, replaceFile, tempPrefix } from "../shared/replace-file.ts";
import { fileChangeToken } from "../stores/change-token.ts";
import { describeObstacle } from "./folder.ts";
import { type LedgerFiles, ledgerPaths } from "./paths.ts";
import {
  type LedgerData,
  LedgerSchema,
  LegacyLedgerSchema,
  type LegacyRecord,
  SCHEMA_VERSION,
  VersionSchema,
} from "./schema.ts";

/** The ledger cannot be used; the message says why and what to do. Nothing is sent meanwhile. */
export class LedgerError extends InfluxionError {}

const UNREADABLE = "the record of what has been uploaded cannot be read";

/** What stands in one ledger file. */
export type LedgerFile =
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly why: string }
  /** It is there, and what is in it cannot be known. */
  | { readonly kind: "unreadable"; readonly why: string }
  | { readonly kind: "legacy"; readonly records: Record<string, LegacyRecord> }
  | { readonly kind: "good"; readonly data: LedgerData };

/** The files' content. */
export interface ReadLedger extends LedgerFiles<LedgerFile> {
  /** {@link contentDigest} of what stands in ledger and copy; null when they differ. */
  readonly digest: string | null;
  /** {@link ledgerToken} of the ledger from before it was read. */
  readonly token: string;
}

/**
 * Reads them all. A copy that cannot be read matters only where the ledger is not good. Usually ledger and copy are equal, and then only one of them is parsed.
 * @throws {LedgerError} `LEDGER_UNREADABLE`, or `LEDGER_NEWER` for a version this plugin does not know
 */
export async function readLedgerFiles(stateDir: string): Promise<ReadLedger> {
  const paths = ledgerPaths(stateDir);
  const obstacle = await describeObstacle(dirname(paths.primary));
  if (obstacle !== null) throw new LedgerError("LEDGER_UNREADABLE", `${UNREADABLE}: ${obstacle}`);
  const token = await ledgerToken(paths.primary);
  const [primaryBytes, copyBytes, earlierBytes] = await Promise.all([
    bytesOf(paths.primary),
    bytesOf(paths.copy).catch((error: LedgerError) => error),
    bytesOf(paths.earlier),
  ]);
  const primary = meaning(primaryBytes, paths.primary);
  const earlier = meaning(earlierBytes, paths.earlier);
  if (copyBytes instanceof LedgerError) {
    if (primary.kind !== "good") throw copyBytes;
    const copy = { kind: "unreadable", why: copyBytes.message } as const;
    return { primary, copy, earlier, digest: null, token };
  }
  const isEqual = primaryBytes !== null && copyBytes !== null && primaryBytes.equals(copyBytes);
  const copy = isEqual ? primary : meaning(copyBytes, paths.copy);
  const digest = isEqual ? digestOfBytes(primaryBytes) : null;
  return { primary, copy, earlier, digest, token };
}

/** What a ledger file begins with; everything behind it is its content. */
export function ledgerPrefix(revision: number): string {
  return `{"schemaVersion":${SCHEMA_VERSION},"revision":${revision},`;
}

const PREFIX = /^\{"schemaVersion":\d+,"revision":\d+,/;
const PREFIX_BYTES = 100;

/** Digest of a ledger's content, which is equal as long as nothing but its revision changes. */
export function contentDigest(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64");
}

function digestOfBytes(bytes: Buffer): string | null {
  const prefix = PREFIX.exec(bytes.toString("latin1", 0, PREFIX_BYTES))?.[0];
  return prefix === undefined ? null : contentDigest(bytes.subarray(prefix.length, -1));
}

/** Changes whenever a ledger file is replaced. @throws {LedgerError} `LEDGER_UNREADABLE` */
export async function ledgerToken(path: string): Promise<string> {
  try {
    return await fileChangeToken(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function bytesOf(path: string): Promise<Buffer | null> {
  try {
    return await readRegular(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): LedgerError {
  const why =
    error instanceof NotAFileError
      ? `: ${error.message}; move it away`
      : ` (${errnoOf(error) || String(error)}): ${path}; give the user that runs OpenClaw access to it`;
  return new LedgerError("LEDGER_UNREADABLE", `${UNREADABLE}${why}`, { cause: error });
}

function meaning(bytes: Buffer | null, path: string): LedgerFile {
  return bytes === null ? { kind: "missing" } : parseLedger(bytes.toString("utf8"), path);
}

/**
 * What the text of a ledger file means; never throws for damage.
 * @throws {LedgerError} `LEDGER_NEWER`
 */
export function parseLedger(text: string, path: string): LedgerFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: "damaged", why: text === "" ? "it is empty" : "it is not JSON" };
  }
  if (!v.is(VersionSchema, json)) return { kind: "damaged", why: "it names no schemaVersion" };
  if (json.schemaVersion > SCHEMA_VERSION) {
    throw new LedgerError(
      "LEDGER_NEWER",
      `${path} was written by a newer influxion (schemaVersion ${json.schemaVersion}, this one knows ${SCHEMA_VERSION}); update the plugin, nothing is uploaded until then`,
    );
  }
  const legacy = v.safeParse(LegacyLedgerSchema, json);
  if (legacy.success) {
    const records = Object.entries(legacy.output.files).filter((entry) => entry[1] !== null);
    return { kind: "legacy", records: Object.fromEntries(records) as Record<string, LegacyRecord> };
  }
  const parsed = v.safeParse(LedgerSchema, json, { abortEarly: true });
  if (parsed.success) return { kind: "good", data: parsed.output };
  const [issue] = parsed.issues;
  return { kind: "damaged", why: `${v.getDotPath(issue) ?? "its root"} is not what it should be` };
}

const UNWRITTEN = "the record of what has been uploaded cannot be written";

/** Replaces a ledger file, see {@link replaceFile}. @throws {LedgerError} `LEDGER_UNWRITABLE` */
export async function writeLedgerFile(
  path: string,
  text: string,
  write?: Parameters<typeof replaceFile>[2],
): Promise<void> {
  try {
    await replaceFile(path, text, write);
  } catch (error) {
    throw unwritable(UNWRITTEN, path, error);
  }
}

/** Puts a damaged file aside, under a name that says so, and returns that name. @throws {LedgerError} `LEDGER_UNWRITABLE` */
export async function setAside(path: string, now: number): Promise<string> {
  const stamp = new Date(now).toISOString().replaceAll(":", "-");
  const aside = `${path}.damaged-${stamp}`;
  try {
    await renameOver(path, aside);
  } catch (error) {
    throw unwritable("the damaged record of what was uploaded cannot be set aside", path, error);
  }
  return basename(aside);
}

/** Removes a file whose content is in the ledger by now, and its folder if it was alone there. Best effort. */
export async function removeEarlier(path: string): Promise<void> {
  try {
    await unlink(path);
    await rmdir(dirname(path));
  } catch {
    // The plugin is installed in the folder, or the file is read again next time.
  }
}

/**
 * Removes what a process that was killed while writing the ledger left beside it, also of the
 * copy, whose name begins the same. Call only under the lock.
 */
export async function removeLeftovers(primary: string): Promise<void> {
  const dir = dirname(primary);
  const names = await readdir(dir).catch(() => []);
  const left = names.filter((name) => name.startsWith(tempPrefix(primary)));
  await Promise.allSettled(left.map((name) => unlink(join(dir, name))));
}

/**
 * Why the ledger could not be written now, as far as that can be determined without writing: when
 * the disk is full, a run can not even leave a note for `status`.
 */
export async function whyUnwritable(stateDir: string): Promise<Problem[]> {
  const dir = dirname(ledgerPaths(stateDir).primary);
  try {
    await access(dir, constants.W_OK);
  } catch (error) {
    // Without a folder nothing was uploaded yet, and nothing is wrong.
    return errnoOf(error) === "ENOENT" ? [] : [problemOf(dir, error)];
  }
  // Some file systems do not report their size.
  const { blocks, bfree, bavail } = await statfs(dir).catch(() => NO_SIZE);
  const free = process.getuid?.() === 0 ? bfree : bavail;
  if (blocks === 0 || free > 0) return [];
  return [problemOf(dir, Object.assign(new Error("no space is left"), { code: "ENOSPC" }))];
}

function problemOf(dir: string, error: unknown): Problem {
  const { code, message } = unwritable(UNWRITTEN, dir, error);
  return { code, message };
}

const NO_SIZE = { blocks: 0, bfree: 0, bavail: 0 };

/** A file of ours that cannot be written: `what` happened, why, and what to do. */
export function unwritable(what: string, path: string, error: unknown): LedgerError {
  const cause = error instanceof Error ? errnoOf(error.cause) : "";
  const message = explain(what, cause || errnoOf(error));
  return new LedgerError("LEDGER_UNWRITABLE", `${message}: ${path}`, { cause: error });
}

function explain(what: string, code: string): string {
  if (code === "ENOSPC" || code === "EDQUOT") {
    return `${what} because the disk is full; free some space, uploads go on by themselves`;
  }
  if (code === "EROFS" || code === "EACCES" || code === "EPERM") {
    return `${what} (${code}); give the user that runs OpenClaw write access`;
  }
  if (code === "ENOTDIR" || code === "EEXIST" || code === "EISDIR") {
    return `${what} (${code}); something else is where its file or one of its folders should be, move it away`;
  }
  return `${what}${code === "" ? "" : ` (${code})`}; see that OpenClaw can write there`;
}
