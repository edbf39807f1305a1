import { join } from "node:path";
import { listSessions, markSessions } from "./jsonl/list.ts";
import { openJsonl } from "./jsonl/reader.ts";
import type { Store } from "./store.ts";

export interface JsonlStoreOptions {
  readonly agentId: string;
  /** The agent's `sessions/` folder; it need not exist. */
  readonly dir: string;
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
}

/** The store of hosts that keep each session as one JSONL file (OpenClaw up to 2026.7). */
export function openJsonlStore({ agentId, dir, now }: JsonlStoreOptions): Store {
  return {
    kind: "jsonl",
    agentId,
    list: (signal) => listSessions(agentId, dir, signal),
    mark: (signal) => markSessions(agentId, dir, signal),
    open: (stream) => openJsonl(join(dir, stream.source), stream, now),
    close: () => Promise.resolve(),
  };
}
