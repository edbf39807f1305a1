import { createHash } from "node:crypto";
import { needsNames } from "../config/filter.ts";
import { ledgerPaths } from "../ledger/paths.ts";
import { VERSION } from "../shared/version.ts";
import { databaseChangeToken, fileChangeToken, NO_DATABASE } from "../stores/change-token.ts";
import { markFolder } from "../stores/jsonl/list.ts";
import { DEFAULT_LAYOUT } from "../stores/layout.ts";
import { type Claim, findPlaces, registryPath } from "../stores/places.ts";
import type { DatabaseThread, FilteredClaims } from "../stores/sqlite/database-thread.ts";
import type { DatabaseNeeds } from "../stores/sqlite/digest.ts";
import type { RunOptions } from "./options.ts";

/** What a run depends on, as far as names, sizes and times show it. */
export interface IdleScan {
  /** Equal between two scans only if all is unchanged that a run would scan, and what it would do with that; but for agents' databases. */
  readonly token: string;
  /** Agents' databases, by real path: equal between two scans only if the file is unchanged, and what is asked of it. */
  readonly databases: ReadonlyMap<string, string>;
  /** Digest of what is asked of them. */
  readonly asked: string;
  readonly needs: DatabaseNeeds;
  readonly filtered: FilteredClaims;
}

type ScanOptions = Pick<RunOptions, "stateDir" | "layout" | "config" | "agentId" | "signal">;

/** @throws {Error} when something cannot be looked at: whatever it is, a run reports it */
export async function scanIdle(
  options: ScanOptions,
  registry: RegistryReader,
  thread: DatabaseThread,
): Promise<IdleScan> {
  const { stateDir, layout = DEFAULT_LAYOUT, config, agentId, signal } = options;
  const { filter } = config;
  const { claims: own, shared, failures, agentsDir } = await findPlaces(stateDir, layout);
  const claims = [...own, ...(await registry.read(stateDir, thread))];
  const needs = {
    needsNames: needsNames(filter),
    needsStart: filter.since !== undefined,
    needsDeleted: config.onDelete !== "keep",
  };
  const asked = digestOf([VERSION, process.version, needs, filter, agentsDir, claims]);
  const hash = createHash("sha256");
  const add = (...parts: unknown[]): unknown => hash.update(JSON.stringify(parts));
  // With another key there is as little to do, and no trace of it is to lie about.
  add(asked, { ...config, apiKey: null }, agentId, failures, shared);
  const sessions = claims.flatMap((claim) => claim.sessions);
  const indexes = needs.needsNames ? sessions.map(({ index }) => index) : [];
  for (const dir of new Set([...sessions, ...shared].map(({ dir }) => dir))) {
    add(await markFolder(dir, signal));
  }
  const sharedIndexes = shared.flatMap((folder) => folder.indexes.map(({ path }) => path));
  const files = [...Object.values(ledgerPaths(stateDir)), ...indexes, ...sharedIndexes];
  for (const path of new Set(files)) add(path, await fileChangeToken(path));
  const databases = new Map<string, string>();
  for (const { real } of claims.flatMap((claim) => claim.databases)) {
    databases.set(real, await stateOf(real, asked));
  }
  const filtered = { claims, agentsDir, filter };
  return { token: hash.digest("hex"), databases, asked, needs, filtered };
}

/** Whether no database was written to since a scan. */
export async function areUnchanged({ databases, asked }: IdleScan): Promise<boolean> {
  for (const [real, state] of databases) {
    if ((await stateOf(real, asked)) !== state) return false;
  }
  return true;
}

async function stateOf(real: string, asked: string): Promise<string> {
  return `${asked} ${await databaseChangeToken(real)}`;
}

/** Short: it stands with each database. */
function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

/**
 * The host's list of agent databases, read again when its file has changed: what counts is what it says, and
 * the host writes other things into the same file every half minute.
 */
export class RegistryReader {
  #last: { readonly token: string; readonly claims: readonly Claim[] } | undefined;

  /** @throws {Error} when it could not be read, or not in time */
  async read(stateDir: string, thread: DatabaseThread): Promise<readonly Claim[]> {
    // Older than what is read: a change in between is noticed the next time.
    const token = await databaseChangeToken(registryPath(stateDir));
    // As with hosts before 2026.8.
    if (token === NO_DATABASE) return [];
    if (this.#last?.token === token) return this.#last.claims;
    const { claims, failures } = await thread.registry(stateDir);
    // What it could not say, nobody would watch.
    if (failures.length > 0) throw new Error("the registry cannot be read as a whole");
    this.#last = { token, claims };
    return claims;
  }
}
