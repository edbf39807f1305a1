import type { Clock } from "../shared/clock.ts";
import { StoreError } from "../shared/problem.ts";
import { deletedIn } from "./jsonl/deleted.ts";
import type { FactsOf } from "./jsonl/facts.ts";
import { type FolderOptions, listFolder } from "./jsonl/list.ts";
import { openJsonl } from "./jsonl/reader.ts";
import type { Listing, Store } from "./store.ts";

export interface JsonlFolder {
  /** The folder need not exist. */
  readonly dir: string;
  readonly factsOf: FactsOf;
}

export interface JsonlStoreOptions extends Clock {
  readonly agentId: string;
  /** When several have a file of the same name, the session is that of the first. */
  readonly folders: readonly JsonlFolder[];
}

/** The store of hosts that keep each session as one JSONL file (OpenClaw up to 2026.7). */
export function openJsonlStore({ agentId, folders, now }: JsonlStoreOptions): Store {
  return {
    kind: "jsonl",
    agentId,
    list: (signal) => listFolders(agentId, folders, signal),
    deleted: () => deletedIn(folders.map(({ dir }) => dir)),
    open: (stream, signal) => openJsonl(stream.file?.path ?? "", stream, now, signal),
    close: () => Promise.resolve(),
  };
}

async function listFolders(
  agentId: string,
  folders: readonly JsonlFolder[],
  signal?: AbortSignal,
): Promise<Listing> {
  const all: Listing = { streams: [], problems: [], failures: [] };
  const sources = new Set<string>();
  for (const folder of folders) {
    const { streams, problems, failures } = await listOne({ agentId, ...folder, signal });
    all.problems.push(...problems);
    all.failures.push(...failures);
    const before = new Set(sources);
    for (const stream of streams) {
      if (before.has(stream.source)) {
        const message = `${stream.source}: another session of this name is in the folder that session.store names; the one in ${folder.dir} is not sent`;
        all.problems.push({ code: "ENTRY_SKIPPED", agentId, message });
      } else {
        sources.add(stream.source);
        all.streams.push(stream);
      }
    }
  }
  return all;
}

/** What cannot be read of one folder does not hide what is in the others. */
async function listOne(options: FolderOptions): Promise<Listing> {
  try {
    return await listFolder(options);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { code, message } = error;
    return { streams: [], problems: [], failures: [{ code, agentId: options.agentId, message }] };
  }
}
