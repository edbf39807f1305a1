import { randomBytes, randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

/** How many events a database keeps compressed. */
export function compressedIn(path: string): number {
  return query(path, "SELECT 1 FROM transcript_events WHERE event_zstd NOTNULL").length;
}

/** Appends `size` bytes to the transcript of an agent whose Gateway has stopped, in entries that do not compress. */
export function makeLong(path: string, sessionKey: string, size: number): void {
  const db = new DatabaseSync(path);
  try {
    const [last] = query(
      path,
      `SELECT session_id, max(seq) AS seq FROM transcript_events
       WHERE session_id = (SELECT current_session_id FROM session_nodes WHERE session_key = ?)`,
      sessionKey,
    );
    const insert = db.prepare(
      "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, ?)",
    );
    db.exec("BEGIN");
    for (let i = 1, bytes = 0; bytes < size; i++) {
      const content = randomBytes(225_000).toString("base64");
      bytes += content.length;
      const entry = {
        type: "message",
        id: randomUUID().slice(0, 8),
        parentId: null,
        timestamp: new Date().toISOString(),
        message: { role: "user", content },
      };
      const at = [last?.session_id ?? "", Number(last?.seq) + i] as const;
      insert.run(...at, JSON.stringify(entry), Date.now());
    }
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

/** @returns what SQLite tells: `busy`, and the pages in the log and of these the written ones */
export function checkpoint(path: string, mode: "PASSIVE" | "TRUNCATE"): Row[] {
  return query(path, `PRAGMA wal_checkpoint(${mode})`);
}

type Row = Record<string, string | number>;

function query(path: string, sql: string, ...values: string[]): Row[] {
  const db = new DatabaseSync(path, { timeout: 5000 });
  try {
    return db.prepare(sql).all(...values) as Row[];
  } finally {
    db.close();
  }
}
