import { join } from "node:path";
import type { CodeSplittingNameFunction } from "rolldown";

/**
 * The chunks, and the modules for which they are loaded. A module is in the first chunk
 * that it is needed for, so that chunks need only those before them.
 */
const CHUNKS: Readonly<Record<string, readonly string[]>> = {
  register: ["index"],
  // What the host loads for commands that are not called, too.
  add: ["cli/add"],
  // A thread of the Gateway loads nothing else, unless a filter is on agents.
  databases: ["stores/sqlite/database-worker"],
  service: ["openclaw/gateway", "run/worker-runner", "run/idle-cache"],
  status: ["cli/status", "openclaw/ask-service"],
  run: ["run/worker", "upload/deletion"],
  // With undici in it: a run that has nothing to send does without.
  client: ["upload/client", "upload/tunnel"],
  commands: [
    ...["check", "confirm", "forget", "history", "pause", "sessions", "setup", "setup/prompter"],
    "sync",
  ].map((command) => `cli/${command}`),
  redaction: ["upload/transform"],
  reading: ["cli/dry-run", "cli/preview", "cli/scan"],
  page: ["page/audit", "page/routes", "page/thread", "page/worker"],
  receiver: ["cli/receive", "cli/receiver/main"],
};

type Context = Parameters<CodeSplittingNameFunction>[1];

/**
 * Says in which chunk a module is. In none is what only starts a program or is only loaded when it is first used:
 * its own file is loaded for it anyway.
 */
export function chunkNames(src: string): CodeSplittingNameFunction {
  let chunks: ReadonlyMap<string, string> | undefined;
  return (id, context) => {
    if (context.getModuleInfo(id)?.importers.length === 0) return null;
    chunks ??= assign(src, context);
    return chunks.get(id) ?? null;
  };
}

function assign(src: string, context: Context): ReadonlyMap<string, string> {
  const chunks = new Map<string, string>();
  for (const [chunk, entries] of Object.entries(CHUNKS)) {
    const open = entries.map((entry) => join(src, `${entry}.ts`));
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (chunks.has(id)) continue;
      const module = context.getModuleInfo(id);
      if (module === null) throw new Error(`no module ${id} for the chunk ${chunk}`);
      chunks.set(id, chunk);
      open.push(...module.importedIds.filter((imported) => imported.startsWith(src)));
    }
  }
  return chunks;
}
