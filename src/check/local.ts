import { access, constants, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { whyUnwritable } from "../ledger/files.ts";
import { Ledger } from "../ledger/ledger.ts";
import { lockOwner } from "../ledger/lock.ts";
import { skippedOf, storeFailures, type UploadState } from "../run/state.ts";
import { asInfluxionError, errnoOf } from "../shared/problem.ts";
import type { FiltersCheck, LedgerCheck, LockCheck, StateCheck, StoresCheck } from "./result.ts";

/** A lock that is held for longer, in ms, is worth a look: a run has limits. */
const LONG_HELD_MS = 3_600_000;

/** Whether the plugin's folder in the state directory can be made, or written into. */
export async function checkState(stateDir: string): Promise<StateCheck> {
  try {
    if (!(await stat(stateDir)).isDirectory()) {
      return { check: "state", verdict: "failed", stateDir, code: "ENOTDIR" };
    }
    await access(stateDir, constants.R_OK | constants.X_OK);
    const own = await stat(join(stateDir, "influxion")).catch(() => null);
    // What stands inside of an existing one is the ledger's check.
    if (own === null) await access(stateDir, constants.W_OK);
    return { check: "state", verdict: "ok", stateDir };
  } catch (error) {
    return { check: "state", verdict: "failed", stateDir, code: errnoOf(error) };
  }
}

/** Whether what was uploaded can be read and written. Reads only. */
export async function checkLedger(
  stateDir: string,
  config: Config,
  now: () => number,
): Promise<LedgerCheck> {
  try {
    const ledger = await Ledger.open({ stateDir, now, readOnly: true });
    const unwritable = (await whyUnwritable(stateDir))[0];
    if (unwritable !== undefined) {
      return { check: "ledger", verdict: "failed", reason: unwritable.message };
    }
    const reasons = ledger.problems.map(({ message }) => message);
    if (reasons.length > 0) return { check: "ledger", verdict: "warning", reasons };
    const uploaded = Object.keys(ledger.target(config).sessions).length;
    return { check: "ledger", verdict: "ok", uploaded };
  } catch (error) {
    return { check: "ledger", verdict: "failed", reason: asInfluxionError(error).message };
  }
}

/** Who has the right to upload now. */
export async function checkLock(stateDir: string, now: () => number): Promise<LockCheck> {
  try {
    const owner = await lockOwner(stateDir);
    const heldMs = now() - Date.parse(owner?.since ?? "");
    if (owner === null || !(heldMs > LONG_HELD_MS)) return { check: "lock", verdict: "ok", owner };
    return { check: "lock", verdict: "warning", owner, heldMs };
  } catch (error) {
    return { check: "lock", verdict: "failed", reason: asInfluxionError(error).message };
  }
}

/** Whether there are transcripts, and all of them can be read. @param why nothing is known of them, unless the ledger is why */
export function checkStores(state: UploadState | null, why: string | null): StoresCheck {
  if (why !== null) return { check: "stores", verdict: "failed", reason: why };
  if (state === null) return { check: "stores", verdict: "skipped", because: "ledger" };
  const agents = state.agents.length;
  const sessions = state.counts.found;
  const reasons = storeFailures(state);
  const [first] = reasons;
  if (first !== undefined && sessions === 0) {
    return { check: "stores", verdict: "failed", reason: first };
  }
  if (first !== undefined || sessions === 0) {
    return { check: "stores", verdict: "warning", agents, sessions, reasons };
  }
  const kinds = [...new Set(state.agents.flatMap(({ stores }) => stores))];
  return { check: "stores", verdict: "ok", agents, sessions, kinds };
}

/** Whether the filters let something through, and each pattern means something. */
export function checkFilters(state: UploadState | null): FiltersCheck {
  if (state === null) return { check: "filters", verdict: "skipped", because: "ledger" };
  const { counts, unmatched } = state;
  const skipped = skippedOf(counts);
  const excludesAll = counts.found > 0 && skipped === counts.found;
  if (unmatched.length > 0 || excludesAll) {
    return { check: "filters", verdict: "warning", unmatched, excludesAll, skipped };
  }
  const { pending, pendingBytes } = counts;
  return { check: "filters", verdict: "ok", pending, pendingBytes, skipped };
}
