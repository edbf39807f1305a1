import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/stores/sqlite.ts";
import type { Reader, Store, Stream } from "../../src/stores/store.ts";

const NODES = `
  CREATE TABLE session_nodes (
    session_key TEXT NOT NULL PRIMARY KEY,
    current_session_id TEXT NOT NULL,
    entry_json TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    label TEXT,
    display_name TEXT
  ) STRICT;`;

/**
 * An agent's database as OpenClaw writes it: the tables a reader of transcripts
 * meets, as `sqlite_master` of 2026.9.6 (schema 23) shows them, cut to the columns
 * that matter. Schema 19 (2026.8.1) has neither compressed events nor cold storage.
 */
const WINDOWS = `
  CREATE TABLE session_windows (
    session_id TEXT NOT NULL PRIMARY KEY,
    session_key TEXT NOT NULL,
    previous_session_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    transcript_updated_at INTEGER DEFAULT NULL,
    chat_type TEXT CHECK (chat_type IS NULL OR chat_type IN ('direct', 'group', 'channel')),
    spawned_by TEXT
  ) STRICT;
  CREATE TABLE transcript_rewrite_watermarks (
    session_id TEXT NOT NULL PRIMARY KEY,
    generation TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    FOREIGN KEY (session_id) REFERENCES "session_windows"(session_id) ON DELETE CASCADE
  ) STRICT;
  CREATE TABLE session_transcript_archives (
    session_id TEXT NOT NULL,
    generation TEXT NOT NULL,
    session_key TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'reset')),
    encoding TEXT NOT NULL CHECK (encoding IN ('identity', 'zstd')),
    archive_blob BLOB NOT NULL,
    archive_sha256 TEXT NOT NULL CHECK (length(archive_sha256) = 64),
    archive_name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, generation)
  ) STRICT;`;

const EVENTS_19 = `
  CREATE TABLE transcript_events (
    session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_json TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq),
    FOREIGN KEY (session_id) REFERENCES "session_windows"(session_id) ON DELETE CASCADE
  ) STRICT;`;

const EVENTS_23 = `
  CREATE TABLE transcript_events (
    session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_json TEXT,
    created_at INTEGER NOT NULL,
    event_zstd BLOB,
    event_utf8_bytes INTEGER CHECK (event_utf8_bytes IS NULL OR event_utf8_bytes >= 0),
    navigation_json TEXT,
    PRIMARY KEY (session_id, seq),
    FOREIGN KEY (session_id) REFERENCES "session_windows"(session_id) ON DELETE CASCADE,
    CHECK (
      (event_json IS NOT NULL AND event_zstd IS NULL)
      OR (
        event_json IS NULL AND event_zstd IS NOT NULL
        AND event_utf8_bytes IS NOT NULL
        AND event_utf8_bytes BETWEEN 1 AND 4194304
        AND length(event_zstd) BETWEEN 1 AND 4194304
        AND navigation_json IS NOT NULL
      )
    )
  ) STRICT;
  CREATE TABLE session_transcript_cold_archives (
    session_id TEXT NOT NULL PRIMARY KEY,
    generation TEXT NOT NULL,
    archive_name TEXT NOT NULL UNIQUE,
    archive_sha256 TEXT NOT NULL CHECK (length(archive_sha256) = 64),
    event_count INTEGER NOT NULL CHECK (event_count >= 1),
    raw_bytes INTEGER NOT NULL CHECK (raw_bytes >= 0),
    archive_bytes INTEGER NOT NULL CHECK (archive_bytes >= 0),
    last_seq INTEGER NOT NULL,
    archived_at INTEGER NOT NULL,
    storage TEXT NOT NULL CHECK (storage IN ('file', 'sqlite')),
    archive_blob BLOB,
    FOREIGN KEY (session_id) REFERENCES "session_windows"(session_id) ON DELETE CASCADE,
    CHECK ((storage = 'file' AND archive_blob IS NULL) OR (storage = 'sqlite' AND archive_blob IS NOT NULL))
  ) STRICT;`;

/** Bounds between which the host compresses an event, if that makes it a tenth smaller. */
const MIN_COMPRESS_BYTES = 1024;
const MAX_COMPRESS_BYTES = 4 * 1024 * 1024;

const LONG_AGO = Date.parse("2026-11-01T00:00:00Z");

export interface AgentDbOptions {
  readonly agentId?: string;
  readonly schema?: 19 | 23;
  /** Where the database lies instead of its usual place. */
  readonly path?: string;
}

/** Builds databases and does to them what the host does. */
export class AgentDb {
  readonly agentId: string;
  readonly path: string;
  readonly sessionsDir: string;
  readonly db: DatabaseSync;
  readonly #schema: 19 | 23;
  #clock = LONG_AGO;

  constructor(stateDir: string, { agentId = "main", schema = 23, path }: AgentDbOptions = {}) {
    const agentDir = join(stateDir, "agents", agentId);
    this.agentId = agentId;
    this.sessionsDir = join(agentDir, "sessions");
    this.path = path ?? join(agentDir, "agent", "openclaw-agent.sqlite");
    mkdirSync(join(this.path, ".."), { recursive: true });
    this.#schema = schema;
    this.db = new DatabaseSync(this.path);
    this.db.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;");
    this.db.exec(NODES + WINDOWS + (schema === 19 ? EVENTS_19 : EVENTS_23));
  }

  /** What the host keeps of a session besides its transcript, under the key of the session. */
  addNode(sessionKey: string, entry: Record<string, unknown> & { sessionId: string }): void {
    const { sessionId, label = null, displayName = null } = entry;
    this.db
      .prepare("INSERT OR REPLACE INTO session_nodes VALUES (?, ?, ?, 0, ?, ?)")
      .run(sessionKey, sessionId, JSON.stringify(entry), label as string, displayName as string);
  }

  /** What the host says of a session's kind beside its transcript. */
  setKind(sessionId: string, kind: { chatType?: string; spawnedBy?: string }): void {
    this.db
      .prepare("UPDATE session_windows SET chat_type = ?, spawned_by = ? WHERE session_id = ?")
      .run(kind.chatType ?? null, kind.spawnedBy ?? null, sessionId);
  }

  /**
   * A session with these events under the numbers 0, 1, …
   * @param at in ms since the epoch
   */
  addSession(
    sessionId: string,
    events: readonly unknown[],
    sessionKey?: string,
    at = this.#tick(),
  ): void {
    this.#clock = at;
    const key = sessionKey ?? `agent:${this.agentId}:main`;
    this.db
      .prepare("INSERT OR IGNORE INTO session_nodes VALUES (?, ?, '{}', 0, NULL, NULL)")
      .run(key, sessionId);
    this.db
      .prepare("INSERT INTO session_windows VALUES (?, ?, NULL, ?, ?, ?, NULL, NULL)")
      .run(sessionId, key, at, at, at);
    this.db
      .prepare("INSERT INTO transcript_rewrite_watermarks VALUES (?, ?, ?)")
      .run(sessionId, newGeneration(), at);
    this.append(sessionId, events);
  }

  append(sessionId: string, events: readonly unknown[]): void {
    const { next } = this.db
      .prepare(
        "SELECT coalesce(max(seq) + 1, 0) AS next FROM transcript_events WHERE session_id = ?",
      )
      .get(sessionId) as { next: number };
    this.db.exec("BEGIN IMMEDIATE");
    events.forEach((event, index) => {
      this.put(sessionId, next + index, textOf(event));
    });
    this.touch(sessionId);
    this.db.exec("COMMIT");
  }

  /** One row as it is, without the marks the host leaves. */
  put(sessionId: string, seq: number, text: string): void {
    if (this.#schema === 19) {
      this.db
        .prepare("INSERT OR REPLACE INTO transcript_events VALUES (?, ?, ?, ?)")
        .run(sessionId, seq, text, this.#clock);
      return;
    }
    const zstd = compressed(text);
    this.db
      .prepare("INSERT OR REPLACE INTO transcript_events VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(
        sessionId,
        seq,
        zstd === null ? text : null,
        this.#clock,
        zstd,
        Buffer.byteLength(text),
        zstd === null ? null : "{}",
      );
  }

  /** What every write of the host does: the time moves on. */
  touch(sessionId: string, at = this.#tick()): void {
    this.db
      .prepare(
        "UPDATE session_windows SET updated_at = ?, transcript_updated_at = ? WHERE session_id = ?",
      )
      .run(at, at, sessionId);
  }

  /** What every rewrite of the host does besides. */
  rotate(sessionId: string, at?: number): void {
    this.db
      .prepare("UPDATE transcript_rewrite_watermarks SET generation = ? WHERE session_id = ?")
      .run(newGeneration(), sessionId);
    this.touch(sessionId, at);
  }

  /** `sessions.compact {maxLines}`: only some events stay, renumbered from 0. */
  renumber(sessionId: string, events: readonly unknown[]): void {
    this.db.prepare("DELETE FROM transcript_events WHERE session_id = ?").run(sessionId);
    this.append(sessionId, events);
    this.rotate(sessionId);
  }

  /** @param at in ms since the epoch */
  deleteSession(sessionId: string, at = 0): void {
    const generation = this.#generation(sessionId);
    const name = `${sessionId}.jsonl.deleted.2026-11-22T11-45-08.117Z.${generation}.zst`;
    const blob = zstdCompressSync(this.texts(sessionId).join("\n"));
    this.db
      .prepare(
        "INSERT INTO session_transcript_archives VALUES (?, ?, 'key', 'deleted', 'zstd', ?, ?, ?, ?)",
      )
      .run(sessionId, generation, blob, sha256(blob), name, at);
    this.db.prepare("DELETE FROM session_windows WHERE session_id = ?").run(sessionId);
    mkdirSync(this.sessionsDir, { recursive: true });
    writeFileSync(join(this.sessionsDir, name), blob);
  }

  /** Moves a session to cold storage; `storage: "sqlite"` is how a restored backup has it. */
  moveToCold(sessionId: string, storage: "file" | "sqlite" = "file"): string {
    const texts = this.texts(sessionId);
    const rows = this.db
      .prepare("SELECT seq, created_at FROM transcript_events WHERE session_id = ? ORDER BY seq")
      .all(sessionId) as { seq: number; created_at: number }[];
    const generation = this.#generation(sessionId);
    const records = [
      { kind: "header", version: 1, sessionId, generation },
      ...rows.map(({ seq, created_at }, index) => ({
        kind: "event",
        row: { seq, event_json: texts[index], created_at },
      })),
      { kind: "identity", row: { event_id: "x", seq: 0, event_type: null, parent_id: null } },
      { kind: "index", row: { indexed_seq: rows.length - 1 } },
    ];
    const blob = zstdCompressSync(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const name = `${sha256(blob)}.jsonl.zst`;
    if (storage === "file") {
      mkdirSync(join(this.sessionsDir, "cold"), { recursive: true });
      writeFileSync(join(this.sessionsDir, "cold", name), blob);
    }
    const rawBytes =
      texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) + texts.length - 1;
    this.db
      .prepare(
        "INSERT INTO session_transcript_cold_archives VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
      )
      .run(
        sessionId,
        generation,
        name,
        sha256(blob),
        texts.length,
        rawBytes,
        blob.length,
        rows.at(-1)?.seq ?? -1,
        storage,
        storage === "file" ? null : blob,
      );
    this.db.prepare("DELETE FROM transcript_events WHERE session_id = ?").run(sessionId);
    return join(this.sessionsDir, "cold", name);
  }

  /** Replaces columns of one row, past the table's checks. */
  damage(
    sessionId: string,
    seq: number,
    columns: Record<string, string | Uint8Array | number | null>,
  ): void {
    this.db.exec("PRAGMA ignore_check_constraints = ON");
    for (const [column, value] of Object.entries(columns)) {
      this.db
        .prepare(`UPDATE transcript_events SET ${column} = ? WHERE session_id = ? AND seq = ?`)
        .run(value, sessionId, seq);
    }
    this.db.exec("PRAGMA ignore_check_constraints = OFF");
  }

  /** JSON texts of the events that are stored as text or compressed, in order. */
  texts(sessionId: string): string[] {
    const rows = this.db
      .prepare("SELECT * FROM transcript_events WHERE session_id = ? ORDER BY seq")
      .all(sessionId) as { event_json: string | null; event_zstd?: Uint8Array }[];
    return rows.map(
      ({ event_json, event_zstd }) =>
        event_json ?? zstdDecompressSync(event_zstd ?? new Uint8Array()).toString("utf8"),
    );
  }

  close(): void {
    if (this.db.isOpen) this.db.close();
  }

  #generation(sessionId: string): string {
    const row = this.db
      .prepare("SELECT generation FROM transcript_rewrite_watermarks WHERE session_id = ?")
      .get(sessionId) as { generation: string };
    return row.generation;
  }

  #tick(): number {
    this.#clock += 1000;
    return this.#clock;
  }
}

/** `count` events as a session has them: a header, then messages of about `bytes` each. */
export function conversation(sessionId: string, count: number, bytes = 200): unknown[] {
  const timestamp = "2026-11-01T00:00:00.000Z";
  const header = { type: "session", version: 4, id: sessionId, timestamp, cwd: "/home/user" };
  const messages = Array.from({ length: count - 1 }, (_, index) => {
    const id = `${sessionId}-${index + 1}`;
    const role = index % 2 === 0 ? "user" : "assistant";
    const content = [{ type: "text", text: `${id} ünïcödé ${"lorem ipsum ".repeat(bytes / 12)}` }];
    return { type: "message", id, parentId: null, timestamp, message: { role, content } };
  });
  return [header, ...messages];
}

function textOf(event: unknown): string {
  return typeof event === "string" ? event : JSON.stringify(event);
}

function compressed(text: string): Buffer | null {
  const bytes = Buffer.byteLength(text);
  if (bytes < MIN_COMPRESS_BYTES || bytes > MAX_COMPRESS_BYTES || text.includes("\\u")) return null;
  const zstd = zstdCompressSync(text);
  return zstd.length > bytes - Math.max(64, Math.ceil(bytes / 10)) ? null : zstd;
}

function newGeneration(): string {
  return randomUUID().replaceAll("-", "");
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** All lines of a stream from `from` on, cut into parts and read as a run would. */
export async function drain(
  reader: Reader,
  { from = 0, maxBytes = 64 * 1024 }: { from?: number; maxBytes?: number } = {},
): Promise<{ readonly lines: string[]; readonly end: number; readonly fingerprint: string }> {
  let text = "";
  let end = from;
  let fingerprint = "";
  for (;;) {
    const cut = await reader.cut(end, { maxBytes });
    if (cut.kind === "over") throw new Error(`an event of ${cut.bytes} bytes is over the limit`);
    if (cut.kind === "unfinished") throw new Error("the end of a line was not found");
    if (cut.kind === "end") return { lines: text.split("\n").slice(0, -1), end, fingerprint };
    const before = text.length === 0 ? 0 : Buffer.byteLength(text);
    for await (const block of reader.read(end, cut.end)) text += block.toString("utf8");
    if (Buffer.byteLength(text) - before !== cut.bytes)
      throw new Error("a cut promised other bytes");
    ({ end, fingerprint } = cut);
  }
}

/** An empty folder that is removed after the test. */
export function newStateDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "influxion-sqlite-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A database and the store that reads it. `now` is long after everything was written. */
export function openAgent(options: AgentDbOptions & { readonly now?: () => number } = {}): {
  readonly agent: AgentDb;
  readonly store: Store;
  readonly stateDir: string;
} {
  const stateDir = newStateDir();
  const agent = new AgentDb(stateDir, options);
  const { agentId, path, sessionsDir } = agent;
  const now = options.now ?? (() => LONG_AGO + 365 * 24 * 60 * 60 * 1000);
  const store = openSqliteStore({ agentId, path, sessionsDir, now });
  onTestFinished(async () => {
    await store.close();
    agent.close();
  });
  return { agent, store, stateDir };
}

export async function streamOf(store: Store, sessionId: string): Promise<Stream> {
  const stream = (await store.list()).streams.find((found) => found.sessionId === sessionId);
  if (stream === undefined) throw new Error(`${sessionId} is not listed`);
  return stream;
}

export async function readerOf(store: Store, sessionId: string): Promise<Reader> {
  return store.open(await streamOf(store, sessionId));
}
