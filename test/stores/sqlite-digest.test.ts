import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type DatabaseNeeds, digestDatabase } from "../../src/stores/sqlite/digest.ts";
import { joinedPageSql } from "../../src/stores/sqlite/page-sql.ts";
import { AgentDb, conversation, newStateDir } from "../support/agent-db.ts";

const NOTHING: DatabaseNeeds = { needsNames: false, needsStart: false, needsDeleted: false };
const NAMES: DatabaseNeeds = { ...NOTHING, needsNames: true };

/** More than one page of sessions. */
const SESSIONS = 450;

function someSessions(): AgentDb {
  const agent = new AgentDb(newStateDir());
  agent.addSession("s", conversation("s", 3), "agent:main:explicit:notes");
  agent.addSession("t", conversation("t", 3), "agent:main:main");
  return agent;
}

const exec =
  (sql: string) =>
  ({ db }: AgentDb): void =>
    db.exec(sql);

/** What is done to a database, and for which needs it changes its digest. */
const CHANGES: Record<string, [(agent: AgentDb) => void, ...DatabaseNeeds[]]> = {
  "an event is new": [(agent) => agent.put("s", 3, '{"type":"message"}'), NOTHING, NAMES],
  "a session is new": [(agent) => agent.addSession("u", conversation("u", 3)), NOTHING, NAMES],
  "a session is gone": [exec("DELETE FROM session_windows WHERE session_id = 's'"), NOTHING, NAMES],
  "a session was touched": [(agent) => agent.touch("t"), NOTHING, NAMES],
  "a time is none": [
    exec("UPDATE session_windows SET updated_at = -1, transcript_updated_at = -1"),
    NOTHING,
  ],
  "a generation is another": [
    exec("UPDATE transcript_rewrite_watermarks SET generation = 'x' WHERE session_id = 's'"),
    NOTHING,
    NAMES,
  ],
  "a session is in cold storage": [(agent) => void agent.moveToCold("s"), NOTHING, NAMES],
  "a session became one that must stay": [
    exec(
      "UPDATE session_windows SET session_key = 'agent:main:web:incognito-1' WHERE session_id = 's'",
    ),
    NOTHING,
    NAMES,
  ],
  "a label is another": [
    (agent) => agent.addNode("agent:main:main", { sessionId: "t", label: "private" }),
    NAMES,
  ],
  "an entry says of another chat": [
    (agent) => agent.addNode("agent:main:main", { sessionId: "t", chatType: "group" }),
    NAMES,
  ],
  "an entry is damaged": [exec("UPDATE session_nodes SET entry_json = '{'"), NAMES],
  "a window is of another kind": [(agent) => agent.setKind("t", { chatType: "group" }), NAMES],
  "a beginning is earlier": [
    exec("UPDATE session_windows SET created_at = created_at - 1"),
    { ...NOTHING, needsStart: true },
  ],
  "a deletion is written down": [
    exec(
      `INSERT INTO session_transcript_archives VALUES ('gone', 'g', 'k', 'deleted', 'zstd', x'', '${"0".repeat(64)}', 'a', 7)`,
    ),
    { ...NOTHING, needsDeleted: true },
  ],
  "a table has gone": [exec("DROP TABLE transcript_rewrite_watermarks"), NOTHING, NAMES],
};

const ALL_NEEDS: readonly DatabaseNeeds[] = [
  NOTHING,
  NAMES,
  { ...NOTHING, needsStart: true },
  { ...NOTHING, needsDeleted: true },
];

for (const [what, [change, ...changed]] of Object.entries(CHANGES)) {
  test(`when ${what}, the digest of a database is another where that is asked for`, async () => {
    const agent = someSessions();
    const others = changed.includes(NOTHING) ? [] : [NOTHING];
    const digests = (needs: readonly DatabaseNeeds[]): Promise<string[]> =>
      Promise.all(needs.map((one) => digestDatabase(agent.path, one)));
    const before = await digests([...changed, ...others]);
    change(agent);
    const after = await digests([...changed, ...others]);
    const isSame = after.map((digest, at) => digest === before[at]);
    expect(isSame).toEqual([...changed.map(() => false), ...others.map(() => true)]);
    agent.close();
  });
}

test("what the host keeps besides leaves the digest as it is", async () => {
  const agent = someSessions();
  agent.addNode("agent:main:main", { sessionId: "t", label: "work" });
  const before = await Promise.all(ALL_NEEDS.map((needs) => digestDatabase(agent.path, needs)));
  agent.db.exec("CREATE TABLE cache_entries (at INTEGER); INSERT INTO cache_entries VALUES (1)");
  agent.addNode("agent:main:main", { sessionId: "t", label: "work", totalTokens: 17 });
  agent.db.exec("UPDATE session_nodes SET updated_at = 99");
  expect(await Promise.all(ALL_NEEDS.map((needs) => digestDatabase(agent.path, needs)))).toEqual(
    before,
  );
  agent.close();
});

test("of many pages of sessions a change in each counts", async () => {
  const agent = new AgentDb(newStateDir());
  agent.db.exec("PRAGMA synchronous = OFF");
  for (let n = 0; n < SESSIONS; n++) agent.addSession(`s${n}`, ["{}"], `agent:main:${n}`);
  const seen = new Set([await digestDatabase(agent.path, NAMES)]);
  for (const at of [0, 199, 200, SESSIONS - 1]) {
    agent.touch(`s${at}`);
    seen.add(await digestDatabase(agent.path, NAMES));
    agent.addNode(`agent:main:${at}`, { sessionId: `s${at}`, label: "new" });
    seen.add(await digestDatabase(agent.path, NAMES));
  }
  expect(seen.size).toBe(1 + 2 * 4);
  agent.close();
});

test("a database without transcripts has a digest, whatever is in it", async () => {
  const agent = new AgentDb(newStateDir());
  for (const { name } of agent.db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all() as { name: string }[]) {
    agent.db.exec(`ALTER TABLE "${name}" RENAME TO "other_${name}"`);
  }
  const before = await digestDatabase(agent.path, NOTHING);
  agent.db.exec("CREATE TABLE memory_index (at INTEGER)");
  expect(await digestDatabase(agent.path, NOTHING)).toBe(before);
  agent.db.exec("CREATE TABLE session_windows (session_id TEXT)");
  await expect(digestDatabase(agent.path, NOTHING)).rejects.toThrow(/lacks table/);
  agent.close();
});

test("what is no database has no digest", async () => {
  const path = `${newStateDir()}/openclaw-agent.sqlite`;
  await expect(digestDatabase(path, NOTHING)).rejects.toThrow(/is gone/);
  writeFileSync(path, "no database ".repeat(100));
  await expect(digestDatabase(path, NOTHING)).rejects.toThrow(/is damaged/);
});

test("values that differ in type, in length or in what lies between them are told apart", () => {
  const agent = new AgentDb(newStateDir());
  const values = [
    "NULL",
    "''",
    "'a'",
    "x'61'",
    "1",
    "'1'",
    "1.0",
    "'a' || char(0)",
    "'NULL'",
    "'text'",
  ];
  const rows = values.flatMap((a) =>
    values.map((b) => `SELECT x'00' AS key, ${a} AS a, ${b} AS b`),
  );
  const said = rows.map((sql) => {
    const row = agent.db.prepare(joinedPageSql({ sql, columns: ["key", "a", "b"] })).get();
    return Buffer.from((row as { said: Uint8Array }).said).toString("latin1");
  });
  expect(new Set(said).size).toBe(rows.length);
  agent.close();
});
