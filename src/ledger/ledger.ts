import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../shared/clock.ts";
import type { Problem } from "../shared/problem.ts";
import type { KnownBytes } from "../stores/store.ts";
import {
  contentDigest,
  LedgerError,
  type LedgerFile,
  ledgerPrefix,
  ledgerToken,
  type ReadLedger,
  readLedgerFiles,
  removeEarlier,
  removeLeftovers,
  setAside,
  writeLedgerFile,
} from "./files.ts";
import type { Lock } from "./lock.ts";
import { type LedgerFiles, ledgerPaths } from "./paths.ts";
import { type LedgerData, type LegacyRecord, SCHEMA_VERSION, type TargetData } from "./schema.ts";
import { sessionKey } from "./session-key.ts";
import { TargetRecords, withoutUnbegun } from "./target.ts";

/** Shortest time between two writes, or looks at whether the files are still ours, while confirmations come in, in ms. */
const SAVE_EVERY_MS = 100;

/**
 * A ledger is written as a whole, so after each write confirmations wait for this many times as
 * long as it took, but not beyond the bound, in ms; a very slow disk still has time for other things.
 * What is not written when the process dies is sent again under its keys.
 */
const SAVE_PAUSE = { factor: 25, maxMs: 2000, leastFactor: 10 };

/** The place sessions are sent to. A new one has received nothing yet. */
export interface Destination {
  readonly apiUrl: string;
  readonly deploymentId: string;
  readonly projectId: string;
}

export interface OpenOptions extends Clock {
  readonly stateDir: string;
  /** Look without touching: nothing is repaired, set aside or written. */
  readonly readOnly?: boolean;
  /** Held by whoever opens it for writing, and looked at before each write. */
  readonly lock?: Pick<Lock, "assertHeld"> | undefined;
}

/**
 * What has been uploaded: the files, and when they are written. What changed is found by
 * comparing with what was written last, so no change can be forgotten. Only the holder of
 * the lock may open it for writing.
 */
export class Ledger {
  /** What a person should know about the files, e.g. that a damaged one was set aside. */
  readonly problems: Problem[];
  readonly #paths: LedgerFiles<string>;
  readonly #data: LedgerData;
  readonly #now: () => number;
  readonly #lock: OpenOptions["lock"];
  readonly #readOnly: boolean;
  readonly #targets = new Map<string, TargetRecords>();
  /** Digest of the content that the files hold; null when they have to be written anyway. */
  #written: string | null;
  /** What the file was like when it was last read or written by us. */
  #onDisk: string;
  #busy: Promise<void> | null = null;
  #nextSave = 0;
  #nextCheck = 0;
  #hasEarlier: boolean;

  private constructor(options: OpenOptions, files: ReadLedger, problems: Problem[]) {
    const data = choose(files);
    this.#paths = ledgerPaths(options.stateDir);
    this.#now = options.now;
    this.#lock = options.lock;
    this.#readOnly = options.readOnly ?? false;
    this.#data = data;
    this.#written = writtenDigest(files);
    this.#onDisk = files.token;
    this.#hasEarlier = files.earlier.kind !== "missing";
    this.problems = problems;
  }

  /** @throws {LedgerError} when there is a ledger that cannot be read or is from a newer version */
  static async open(options: OpenOptions): Promise<Ledger> {
    const { stateDir, readOnly = false, now } = options;
    const paths = ledgerPaths(stateDir);
    const files = await readLedgerFiles(stateDir);
    const problems: Problem[] = [];
    if (!readOnly) await removeLeftovers(paths.primary);
    for (const name of ["primary", "copy", "earlier"] as const) {
      const path = paths[name];
      const file = files[name];
      if (file.kind !== "damaged") continue;
      const kept = readOnly ? "it will be set aside" : `kept as ${await setAside(path, now())}`;
      problems.push({
        code: "LEDGER_DAMAGED",
        message: `the record of what has been uploaded was damaged (${file.why}, ${kept}): ${path}`,
      });
    }
    if (files.copy.kind === "unreadable") problems.push(noCopy(files.copy.why));
    const isMoved = problems.length > 0 && !readOnly;
    const token = isMoved ? await ledgerToken(paths.primary) : files.token;
    const ledger = new Ledger(options, { ...files, token }, problems);
    if (problems.length > 0 && ledger.#data.revision === 0) {
      problems.push({
        code: "LEDGER_LOST",
        message: "no good copy of it was found, so every session is sent again",
      });
    }
    return ledger;
  }

  /** What has gone to a destination; nothing, and not stored, for a new one. */
  target({ apiUrl, deploymentId, projectId }: Destination): TargetRecords {
    const id = digest([apiUrl, deploymentId, projectId]).slice(0, 16);
    this.#data.targets[id] ??= { apiUrl, deploymentId, projectId, sessions: {} };
    const records = this.#targets.get(id) ?? new TargetRecords(this.#data.targets[id], this.#now);
    this.#targets.set(id, records);
    return records;
  }

  /** When the plugin first ran with this state directory, in ms since the epoch; undefined before that. */
  get firstRunAt(): number | undefined {
    return this.#data.firstRunAt;
  }

  /** A run began: the first one is remembered. */
  noteRun(at: number): void {
    this.#data.firstRunAt ??= Math.max(0, Math.floor(at));
  }

  /** Random bytes, made once and kept: what is hashed with them cannot be guessed by others. */
  get secret(): Buffer {
    this.#data.secret ??= randomBytes(32).toString("hex");
    return Buffer.from(this.#data.secret, "hex");
  }

  /** What version 1 remembered of `agents/<agentId>/sessions/<file>`. */
  legacy(agentId: string, file: string): LegacyRecord | undefined {
    return this.#data.legacy?.[legacyKey(agentId, file)];
  }

  forgetLegacy(agentId: string, file: string): void {
    if (this.#data.legacy !== undefined) delete this.#data.legacy[legacyKey(agentId, file)];
  }

  /**
   * Writes what has changed, durably; nothing where it was opened to be read only.
   * @throws {LedgerError} `LEDGER_UNWRITABLE`; `LEDGER_CHANGED` or `LOCK_LOST` when it is not ours any more
   */
  async save(): Promise<void> {
    if (this.#readOnly) return;
    // A write in flight may have begun before the change this call is about.
    while (this.#busy !== null) await this.#busy.catch(() => undefined);
    await this.#alone(this.#write());
  }

  /**
   * Writes confirmations together: at once when the last write is long ago, else
   * with one of the next calls. What a crash loses is sent again under its key. Whether
   * the ledger is still ours is looked at more often than it is written.
   */
  async saveSoon(): Promise<void> {
    if (this.#readOnly || this.#busy !== null) return;
    const now = performance.now();
    if (now >= this.#nextSave) return this.save();
    if (now >= this.#nextCheck) await this.#alone(this.#assertOurs());
  }

  /** Nothing else looks at or changes the files until `action` has ended. */
  async #alone(action: Promise<void>): Promise<void> {
    this.#busy = action;
    try {
      await action;
    } finally {
      this.#busy = null;
      this.#nextCheck = performance.now() + SAVE_EVERY_MS;
    }
  }

  async #write(): Promise<void> {
    const start = performance.now();
    const content = contentOf(this.#data);
    const written = contentDigest(content);
    if (written === this.#written) return;
    await this.#assertOurs();
    this.#data.revision++;
    const text = `${ledgerPrefix(this.#data.revision)}${content}\n`;
    // Unknown until both are written: what fails is written again.
    this.#written = null;
    await writeLedgerFile(this.#paths.primary, text);
    this.#onDisk = await ledgerToken(this.#paths.primary);
    await writeLedgerFile(this.#paths.copy, text).then(
      () => {
        this.#written = written;
      },
      (error: LedgerError) => this.#noCopy(error),
    );
    if (this.#hasEarlier) await removeEarlier(this.#paths.earlier);
    this.#hasEarlier = false;
    const end = performance.now();
    this.#nextSave = end + Math.max(SAVE_EVERY_MS, pauseAfter(end - start));
  }

  /** Where locks do not hold, as on some network disks, another uploader shows itself by what it writes. */
  async #assertOurs(): Promise<void> {
    await this.#lock?.assertHeld();
    if ((await ledgerToken(this.#paths.primary)) === this.#onDisk) return;
    throw new LedgerError(
      "LEDGER_CHANGED",
      `another program has written the record of what has been uploaded meanwhile: ${this.#paths.primary}; nothing more is sent in this run. If it happens again, see that only one OpenClaw uses this state directory`,
    );
  }

  #noCopy({ message }: LedgerError): void {
    if (this.problems.some(({ code }) => code === "LEDGER_COPY")) return;
    this.problems.push(noCopy(message));
  }
}

function pauseAfter(ms: number): number {
  const { factor, maxMs, leastFactor } = SAVE_PAUSE;
  return Math.max(leastFactor * ms, Math.min(factor * ms, maxMs));
}

const noCopy = (why: string): Problem => ({
  code: "LEDGER_COPY",
  message: `no second copy: ${why}`,
});

/** Sizes that a store need not add up again. */
export function knownBytes(target: Pick<TargetRecords, "session">): KnownBytes {
  return ({ agentId, sessionId, source, signature }) => {
    const record = target.session(sessionKey(agentId, sessionId));
    // Nobody asks how large it is.
    if (record?.forgottenAt !== undefined) return 0;
    const idle = record?.streams[source]?.idle;
    return idle?.signature === signature ? idle.bytes : undefined;
  };
}

export function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function legacyKey(agentId: string, file: string): string {
  return `agents/${agentId}/sessions/${file}`;
}

/** All that a ledger holds, without its revision. */
function contentOf({ targets, firstRunAt, legacy, secret }: LedgerData): string {
  const kept = Object.entries(targets).flatMap(([id, target]) => {
    const begun = withoutUnbegun(target);
    return isEmpty(begun) ? [] : [[id, begun] as const];
  });
  // Without its brace: the revision comes first.
  const rest = { firstRunAt, legacy, secret };
  return JSON.stringify({ targets: Object.fromEntries(kept), ...rest }).slice(1);
}

/** A target is its address until something is known of it. */
function isEmpty({ sessions, apiUrl, deploymentId, projectId, ...known }: TargetData): boolean {
  return Object.keys(sessions).length === 0 && Object.keys(known).length === 0;
}

/** Digest of what the files hold, twice; null when they have to be written anyway. */
function writtenDigest({ primary, copy, earlier, digest }: ReadLedger): string | null {
  if (earlier.kind !== "missing") return null;
  const isNone = primary.kind === "missing" && copy.kind === "missing";
  return isNone ? contentDigest(contentOf(EMPTY)) : digest;
}

const EMPTY: LedgerData = { schemaVersion: SCHEMA_VERSION, revision: 0, targets: {} };

function choose({ primary, copy, earlier }: LedgerFiles<LedgerFile>): LedgerData {
  const files = [primary, copy, earlier];
  const good = files.filter((file) => file.kind === "good").map((file) => file.data);
  const empty = structuredClone(EMPTY);
  const data = good.reduce((best, next) => (next.revision > best.revision ? next : best), empty);
  if (earlier.kind === "legacy") data.legacy = { ...earlier.records, ...data.legacy };
  return data;
}
