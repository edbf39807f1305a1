import { join } from "node:path";
import { listSessions } from "./jsonl/list.ts";
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
    async mark(signal) {
      const { streams, problems } = await listSessions(agentId, dir, signal);
      let mark = "";
      for (const { source, signature } of streams) mark += `${source}/${signature}/`;
      for (const { message } of problems) mark += `${message}/`;
      return mark;
    },
    open: (stream) => openJsonl(join(dir, stream.source), stream, now),
    close: () => Promise.resolve(),
  };
}
