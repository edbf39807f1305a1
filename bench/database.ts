import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import { type SessionOptions, sessionEntries, sessionIdOf, TOUCHED } from "./corpus.ts";

/** The tables a reader of transcripts meets, as OpenClaw 2026.9 has them, cut to the columns that matter. */
const SCHEMA = `
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = OFF;
  CREATE TABLE session_windows (
    session_id TEXT NOT NULL PRIMARY KEY,
    session_key TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    transcript_updated_at INTEGER DEFAULT NULL
  ) STRICT;
  CREATE TABLE transcript_rewrite_watermarks (
    session_id TEXT NOT NULL PRIMARY KEY,
    generation TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE transcript_events (
    session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_json TEXT,
    created_at INTEGER NOT NULL,
    event_zstd BLOB,
    event_utf8_bytes INTEGER,
    navigation_json TEXT,
    PRIMARY KEY (session_id, seq)
  ) STRICT;`;

/** The host compresses events between these sizes when that makes them a tenth smaller. */
const COMPRESSED = { from: 1024, to: 4 * 1024 * 1024 };

/** Rows that are written in one transaction. */
const BATCH = 5000;

/** Writes sessions into one agent's database, as the host keeps them. */
export function writeDatabase(path: string, sessions: Iterable<SessionOptions>): void {
  mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path);
  db.exec(SCHEMA);
  const at = TOUCHED.getTime();
  const addWindow = db.prepare("INSERT INTO session_windows VALUES (?, ?, ?, ?)");
  const addGeneration = db.prepare("INSERT INTO transcript_rewrite_watermarks VALUES (?, ?, ?)");
  const addEvent = db.prepare("INSERT INTO transcript_events VALUES (?, ?, ?, ?, ?, ?, ?)");
  let rows = 0;
  db.exec("BEGIN");
  for (const session of sessions) {
    const sessionId = sessionIdOf(session.seed);
    addWindow.run(sessionId, `agent:main:${session.seed}`, at, at);
    addGeneration.run(sessionId, sessionId.replaceAll("-", ""), at);
    let seq = 0;
    for (const text of sessionEntries(session)) {
      const bytes = Buffer.byteLength(text);
      const zstd = compressed(text, bytes);
      const json = zstd === null ? text : null;
      addEvent.run(sessionId, seq++, json, at, zstd, bytes, zstd === null ? null : "{}");
      if (++rows % BATCH === 0) db.exec("COMMIT; BEGIN");
    }
  }
  db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

function compressed(text: string, bytes: number): Buffer | null {
  const { from, to } = COMPRESSED;
  if (bytes < from || bytes > to || text.includes("\\u")) return null;
  const zstd = zstdCompressSync(text);
  return zstd.length > bytes - Math.max(64, Math.ceil(bytes / 10)) ? null : zstd;
}
