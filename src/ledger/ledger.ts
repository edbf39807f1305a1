import { createHash } from "node:crypto";
import type { Problem } from "../problem.ts";
import {
  type LedgerError,
  type LedgerFile,
  type LedgerFiles,
  ledgerPaths,
  readLedgerFiles,
  removeEarlier,
  removeLeftovers,
  setAside,
  writeLedgerFile,
} from "./files.ts";
import type { SessionRecord } from "./records.ts";
import { type LedgerData, type LegacyRecord, SCHEMA_VERSION, type Target } from "./schema.ts";

/** Shortest time between two writes while confirmations come in, in ms. */
const SAVE_EVERY_MS = 100;

/** The place sessions are sent to. A new one has received nothing yet. */
export interface Destination {
  readonly apiUrl: string;
  readonly deploymentId: string;
  readonly projectId: string;
}

export interface OpenOptions {
  readonly stateDir: string;
  /** Look without touching: nothing is repaired, set aside or written. */
  readonly readOnly?: boolean;
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
}

/**
 * What has been uploaded. Change the records in place, then {@link save} or
 * {@link saveSoon}. Only the holder of the lock may open it for writing.
 */
export class Ledger {
  /** What a person should know about the files, e.g. that a damaged one was set aside. */
  readonly problems: Problem[];
  readonly #paths: LedgerFiles<string>;
  readonly #data: LedgerData;
  #changed = false;
  #saving: Promise<void> | null = null;
  #nextSave = 0;
  #hasEarlier: boolean;

  private constructor(
    paths: LedgerFiles<string>,
    files: LedgerFiles<LedgerFile>,
    data: LedgerData,
    problems: Problem[],
  ) {
    this.#paths = paths;
    this.#hasEarlier = files.earlier.kind !== "missing";
    this.#data = data;
    this.problems = problems;
  }

  /** @throws {LedgerError} when there is a ledger that cannot be read or is from a newer version */
  static async open({ stateDir, readOnly = false, now }: OpenOptions): Promise<Ledger> {
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
    const data = choose(files);
    if (problems.length > 0 && data.revision === 0) {
      problems.push({
        code: "LEDGER_LOST",
        message: "no good copy of it was found, so every session is sent again",
      });
    }
    return new Ledger(paths, files, data, problems);
  }

  /** The record for a destination; an empty one that is only stored once something is saved. */
  target({ apiUrl, deploymentId, projectId }: Destination): Target {
    const id = digest([apiUrl, deploymentId, projectId]).slice(0, 16);
    this.#data.targets[id] ??= { apiUrl, deploymentId, projectId, sessions: {} };
    return this.#data.targets[id];
  }

  /** Takes out what the earlier plugin remembered of `agents/<agentId>/sessions/<file>`. */
  legacy(agentId: string, file: string): LegacyRecord | undefined {
    return this.#data.legacy?.[legacyKey(agentId, file)];
  }

  forgetLegacy(agentId: string, file: string): void {
    if (this.#data.legacy !== undefined) delete this.#data.legacy[legacyKey(agentId, file)];
  }

  /** Notes a change that is worth a write. */
  changed(): void {
    this.#changed = true;
  }

  /**
   * Writes what has changed, durably.
   * @throws {LedgerError} `LEDGER_UNWRITABLE`
   */
  async save(): Promise<void> {
    // A write in flight may have begun before the change this call is about.
    while (this.#saving !== null) await this.#saving.catch(() => undefined);
    if (!this.#changed) return;
    this.#saving = this.#write();
    try {
      await this.#saving;
    } finally {
      this.#saving = null;
    }
  }

  /**
   * Writes confirmations together: at once when the last write is long ago, else
   * with one of the next calls. What a crash loses is sent again under its key.
   */
  async saveSoon(): Promise<void> {
    this.#changed = true;
    if (this.#saving !== null || performance.now() < this.#nextSave) return;
    await this.save();
  }

  async #write(): Promise<void> {
    const start = performance.now();
    this.#changed = false;
    this.#data.revision++;
    try {
      const text = `${JSON.stringify(this.#data)}\n`;
      await writeLedgerFile(this.#paths.primary, text);
      await writeLedgerFile(this.#paths.copy, text).catch((error: LedgerError) => {
        this.problems.push({ code: "LEDGER_COPY", message: `no second copy: ${error.message}` });
      });
      if (this.#hasEarlier) await removeEarlier(this.#paths.earlier);
      this.#hasEarlier = false;
    } catch (error) {
      this.#changed = true;
      throw error;
    } finally {
      // A large ledger on a slow disk is written less often.
      const took = performance.now() - start;
      this.#nextSave = performance.now() + Math.max(SAVE_EVERY_MS, 10 * took);
    }
  }
}

/** The key of a session's record. An agent's id holds no slash. */
export function sessionKey(agentId: string, sessionId: string): string {
  return `${agentId}/${sessionId}`;
}

/** The record of a session, made when there is none. */
export function recordOf(target: Target, key: string): SessionRecord {
  target.sessions[key] ??= { generations: 0, streams: {} };
  return target.sessions[key];
}

/** For the database store: sizes it need not add up again. */
export function knownBytes(
  target: Target,
): (agentId: string, sessionId: string, signature: string) => number | undefined {
  return (agentId, sessionId, signature) => {
    const idle = target.sessions[sessionKey(agentId, sessionId)]?.streams.sqlite?.idle;
    return idle?.signature === signature ? idle.bytes : undefined;
  };
}

export function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function legacyKey(agentId: string, file: string): string {
  return `agents/${agentId}/sessions/${file}`;
}

function choose({ primary, copy, earlier }: LedgerFiles<LedgerFile>): LedgerData {
  const files = [primary, copy, earlier];
  const good = files.filter((file) => file.kind === "good").map((file) => file.data);
  const empty: LedgerData = { schemaVersion: SCHEMA_VERSION, revision: 0, targets: {} };
  const data = good.reduce((best, next) => (next.revision > best.revision ? next : best), empty);
  if (earlier.kind === "legacy") data.legacy = { ...earlier.records, ...data.legacy };
  return data;
}
