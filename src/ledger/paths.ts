import { join } from "node:path";

/** The ledger, its last good copy, and the file that an earlier version kept. */
export type LedgerFiles<T> = Readonly<Record<"primary" | "copy" | "earlier", T>>;

/** Where they are. */
export function ledgerPaths(stateDir: string): LedgerFiles<string> {
  const folder = join(stateDir, "influxion");
  return {
    primary: join(folder, "state.json"),
    copy: join(folder, "state.copy.json"),
    // Never written, and removed once. The plugin itself may be installed in this folder, and OpenClaw
    // 2026.9 loads none whose folder changes meanwhile: a command during an upload would fail.
    earlier: join(stateDir, "extensions", "influxion", "state.json"),
  };
}
