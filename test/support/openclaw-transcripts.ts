import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdDecompressSync } from "node:zlib";

/** The entries of every session of every agent, by `<agentId>/<sessionId>`. */
export type Transcripts = Record<string, readonly unknown[]>;

/** What is on disk, read without any of the plugin's code. For states that a host wrote. */
export async function readTranscripts(stateDir: string): Promise<Transcripts> {
  const events = Object.entries(await readEvents(stateDir));
  const found: Record<string, unknown[]> = Object.fromEntries(
    events.map(([session, texts]) => [session, texts.map((text) => JSON.parse(text) as unknown)]),
  );
  const agents = join(stateDir, "agents");
  for (const agentId of await namesIn(agents)) {
    const folder = join(agents, agentId, "sessions");
    for (const name of await namesIn(folder)) {
      const sessionId = /^(.*?)\.jsonl(\.reset\.[^.]+\.[^.]+)?$/.exec(name)?.[1];
      if (sessionId === undefined || sessionId.endsWith(".trajectory")) continue;
      found[`${agentId}/${sessionId}`] = parseLines(await readFile(join(folder, name), "utf8"));
    }
  }
  return found;
}

/** The events in the databases of all agents as the JSON text they hold, by `<agentId>/<sessionId>`. */
export async function readEvents(stateDir: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  const agents = join(stateDir, "agents");
  for (const agentId of await namesIn(agents)) {
    const database = join(agents, agentId, "agent", "openclaw-agent.sqlite");
    if (!existsSync(database)) continue;
    for (const [sessionId, text] of readDatabase(database)) {
      const session = `${agentId}/${sessionId}`;
      found[session] ??= [];
      found[session].push(text);
    }
  }
  return found;
}

/** @throws when a line is not JSON, as while the host writes it */
export function parseLines(text: string): unknown[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as unknown);
}

interface EventRow {
  readonly session_id: string;
  readonly event_json: string | null;
  readonly event_zstd: Uint8Array | null;
}

function readDatabase(path: string): [sessionId: string, text: string][] {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const hasEvents = database
      .prepare("SELECT 1 FROM sqlite_master WHERE name = 'transcript_events'")
      .get();
    // Older hosts give a database of another purpose the same name.
    if (hasEvents === undefined) return [];
    const rows = database
      .prepare("SELECT * FROM transcript_events ORDER BY session_id, seq")
      .all() as unknown as EventRow[];
    return rows.map(({ session_id, event_json, event_zstd }) => {
      const text = event_json ?? zstdDecompressSync(event_zstd ?? new Uint8Array()).toString();
      return [session_id, text];
    });
  } finally {
    database.close();
  }
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
