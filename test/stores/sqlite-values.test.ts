import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { MAX_PART_BYTES } from "../../src/protocol/limits.ts";
import { SourceChangedError, StoreError } from "../../src/shared/problem.ts";
import { openSqliteStore } from "../../src/stores/sqlite.ts";
import type { Listing, Store } from "../../src/stores/store.ts";
import { conversation, newStateDir } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";

/**
 * The tables without the host's types and checks: any value can stand in any column, as in a
 * damaged database or one of another program.
 */
const LOOSE = `
  CREATE TABLE session_windows (
    session_id, session_key, updated_at, transcript_updated_at, display_name, created_at, chat_type, spawned_by);
  CREATE TABLE session_nodes (session_key, current_session_id, entry_json, label, display_name);
  CREATE TABLE transcript_rewrite_watermarks (session_id, generation);
  CREATE TABLE session_transcript_archives (session_id, reason);
  CREATE TABLE transcript_events (session_id, seq, event_json, event_zstd, event_utf8_bytes, created_at, PRIMARY KEY (session_id, seq));
  CREATE TABLE session_transcript_cold_archives (
    session_id, generation, archive_name, archive_sha256, event_count, raw_bytes, last_seq, storage, archive_blob);`;

interface Loose {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly store: Store;
  insert(table: string, row: Record<string, SQLInputValue>): void;
}

function loose(needsNames = true): Loose {
  const stateDir = newStateDir();
  const path = `${stateDir}/agent.sqlite`;
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; ${LOOSE}`);
  const store = openSqliteStore({
    agentId: "main",
    path,
    sessionsDir: stateDir,
    now: Date.now,
    needsNames,
    needsStart: needsNames,
  });
  onTestFinished(async () => {
    await store.close();
    if (db.isOpen) db.close();
  });
  const insert = (table: string, row: Record<string, SQLInputValue>): void => {
    const columns = Object.keys(row);
    db.prepare(
      `INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    ).run(...Object.values(row));
  };
  return { path, db, store, insert };
}

/** A session as the host writes it; `over` puts other values into its rows, by table. */
function addSession(
  { insert }: Loose,
  id: SQLInputValue,
  over: Record<string, Record<string, SQLInputValue>> = {},
): void {
  insert("session_windows", {
    session_id: id,
    session_key: `agent:main:${id}`,
    updated_at: 5,
    transcript_updated_at: 5,
    ...over.session_windows,
  });
  insert("session_nodes", {
    session_key: `agent:main:${id}`,
    current_session_id: id,
    entry_json: "{}",
    ...over.session_nodes,
  });
  insert("transcript_rewrite_watermarks", {
    session_id: id,
    generation: "g",
    ...over.transcript_rewrite_watermarks,
  });
  for (const [seq, event] of conversation("good", 5).entries()) {
    insert("transcript_events", {
      session_id: id,
      seq,
      event_json: JSON.stringify(event),
      ...(seq === 2 ? over.transcript_events : {}),
    });
  }
}

const ids = ({ streams }: Listing): string[] => streams.map(({ sessionId }) => sessionId);

/** All lines of a session, as a run would read them. */
async function readAll(store: Store, sessionId: string): Promise<number> {
  const stream = (await store.list()).streams.find((one) => one.sessionId === sessionId);
  if (stream === undefined) throw new Error(`${sessionId} is not listed`);
  const reader = await store.open(stream);
  let from = 0;
  let lines = 0;
  for (;;) {
    await reader.bytesAfter(from);
    const cut = await reader.cut(from, { maxBytes: MAX_PART_BYTES });
    if (cut.kind !== "range") return lines;
    for await (const block of reader.read(from, cut.end))
      lines += block.toString().split("\n").length - 1;
    const position = { offset: cut.end, lines, messages: 0, fingerprint: cut.fingerprint };
    await reader.verify(position);
    from = cut.end;
  }
}

const BAD_IDS: [string, SQLInputValue][] = [
  ["null", null],
  ["no text", ""],
  ["a number", 7],
  ["a huge number", 2n ** 60n],
  ["a fraction", 1.5],
  ["bytes", new Uint8Array([1, 2, 3])],
  ["bytes that are text", new Uint8Array(Buffer.from("aaa"))],
  ["a path", "../x"],
  ["a path of Windows", "..\\x"],
  ["a dot", "."],
  ["two dots", ".."],
  ["a hidden name", ".x"],
  ["a stream of a file on Windows", "a:b"],
  ["two words", "a b"],
  ["a NUL", "a\u0000b"],
  ["a line break", "a\nb"],
  ["an escape", "a\u001b[2J"],
  ["a reordering character", "a\u202eb"],
  ["a very long text", "x".repeat(600)],
];

test.each(BAD_IDS)(
  "P71: a session whose id is %s is counted and not sent; others are",
  async (_what, id) => {
    const made = loose();
    addSession(made, id);
    addSession(made, "good");
    addSession(made, "zz");
    const listing = await made.store.list();
    expect(ids(listing)).toEqual(["good", "zz"]);
    expect(listing.failures).toMatchObject([
      {
        code: "SESSION_IDS",
        message: expect.stringMatching(/^1 session in its database has an id/),
      },
    ]);
    expect(await readAll(made.store, "good")).toBe(5);
  },
);

test("P71: ids of text that is not UTF-8 neither hide others nor are listed for ever", async () => {
  const made = loose();
  for (const id of ["a", "b", "c"]) addSession(made, id);
  for (const hex of ["61ff", "62c3", "ff", "61efbfbd00"]) {
    made.db.exec(
      `INSERT INTO transcript_events (session_id, seq, event_json) VALUES (CAST(x'${hex}' AS TEXT), 0, '{}')`,
    );
  }
  const listing = await made.store.list();
  expect(ids(listing)).toEqual(["a", "b", "c"]);
  expect(listing.failures[0]?.message).toMatch(/^4 sessions/);
});

test("P71: bad ids in cold storage are counted, too", async () => {
  const made = loose();
  for (const id of [null, "../x", new Uint8Array([1])]) {
    made.insert("session_transcript_cold_archives", { session_id: id });
  }
  addSession(made, "good");
  const listing = await made.store.list();
  expect(ids(listing)).toEqual(["good"]);
  expect(listing.failures[0]?.message).toMatch(/^3 sessions/);
});

const BAD_NUMBERS: [string, SQLInputValue][] = [
  ["null", null],
  ["negative", -1],
  ["above what JavaScript counts exactly", 2n ** 53n],
  ["2^60", 2n ** 60n],
  ["text", "two"],
  ["bytes", new Uint8Array([1])],
  ["a fraction", 2.5],
  ["infinite", Number.POSITIVE_INFINITY],
];

test.each(BAD_NUMBERS)(
  "P64, P71: a session with an event whose number is %s waits, and is named; others are sent",
  async (_what, seq) => {
    const made = loose();
    addSession(made, "bad", { transcript_events: { seq } });
    addSession(made, "good");
    const listing = await made.store.list();
    expect(ids(listing)).toEqual(["bad", "good"]);
    await expect(readAll(made.store, "bad")).rejects.toMatchObject({
      code: "EVENT_NUMBERS",
      message: expect.stringContaining("session bad"),
    });
    expect(await readAll(made.store, "good")).toBe(5);
  },
);

test.each([...BAD_NUMBERS, ["none at all", 0]] as [string, SQLInputValue][])(
  "P64: a time that is %s counts as unknown, and a change of it is seen",
  async (_what, time) => {
    const made = loose();
    addSession(made, "s", { session_windows: { updated_at: time, transcript_updated_at: null } });
    const before = await made.store.list();
    expect(before.streams).toMatchObject([{ sessionId: "s", changedAt: 0 }]);
    expect(await readAll(made.store, "s")).toBe(5);
    made.db.exec("UPDATE session_windows SET updated_at = 'later'");
    expect((await made.store.list()).streams[0]?.signature).not.toBe(before.streams[0]?.signature);
  },
);

test("P67: a session that the metadata names twice is called both", async () => {
  const made = loose();
  addSession(made, "s");
  made.insert("session_windows", { session_id: "s", session_key: "agent:main:other" });
  const { streams } = await made.store.list();
  expect(streams).toHaveLength(1);
  expect(streams[0]?.names).toEqual(
    expect.arrayContaining(["agent:main:s", "agent:main:other", "other"]),
  );
});

const entry = (entry_json: SQLInputValue) => ({ session_nodes: { entry_json } });

test.each([
  ["a label that is an object", entry('{"label":{"a":1}}')],
  ["a label that is a list", entry('{"label":["x"]}')],
  ["a second label that is a list", entry('{"label":"x","label":["x"]}')],
  ["a name that is a number", entry('{"displayName":7}')],
  ["an origin whose label is a list", entry('{"origin":{"label":["x"]}}')],
  ["an origin that is a list", entry('{"origin":[]}')],
  ["an entry that is a list", entry("[]")],
  ["an entry that is no JSON", entry("{")],
  ["an entry of bytes", entry(Buffer.from("{}"))],
  ["no entry", entry(null)],
  ["a label of bytes", { session_nodes: { label: Buffer.from("x") } }],
  ["a label of bytes that are not UTF-8", { session_nodes: { label: new Uint8Array([0xff]) } }],
  ["a label that is a number", { session_nodes: { label: 7 } }],
  ["a window whose title is a number", { session_windows: { display_name: 7 } }],
  [
    "a key of no text",
    { session_windows: { session_key: "" }, session_nodes: { session_key: "" } },
  ],
  [
    "a key that is a number",
    { session_windows: { session_key: 7 }, session_nodes: { session_key: 7 } },
  ],
  ["a key of bytes", { session_windows: { session_key: Buffer.from("agent:main:s") } }],
  ["a key that the host keeps nothing under", { session_windows: { session_key: "agent:main:x" } }],
] as [string, Record<string, Record<string, SQLInputValue>>][])(
  "P67: what a session with %s is called is not known, and what another one is called is",
  async (_what, over) => {
    const made = loose();
    addSession(made, "s", over);
    addSession(made, "t");
    const { streams } = await made.store.list();
    expect(streams.map(({ namesUnknown }) => typeof namesUnknown)).toEqual(["string", "undefined"]);
  },
);

test("P67: a label of text that is not UTF-8 is not known", async () => {
  const made = loose();
  addSession(made, "s");
  made.db.exec("UPDATE session_nodes SET label = CAST(x'61ff' AS TEXT)");
  expect((await made.store.list()).streams[0]?.namesUnknown).toMatch(/damaged/);
});

test("P67: what any of a thousand sessions is called is known", async () => {
  const made = loose();
  made.db.exec("BEGIN");
  for (let n = 0; n < 1000; n++) {
    addSession(made, `s${n}`, { session_nodes: { label: `label ${n}` } });
  }
  made.db.exec("COMMIT; CREATE INDEX w ON session_windows (session_id)");
  const { streams } = await made.store.list();
  expect(streams).toHaveLength(1000);
  for (const { sessionId, names, namesUnknown } of streams) {
    expect(namesUnknown).toBeUndefined();
    expect(names).toContain(`label ${sessionId.slice(1)}`);
  }
});

test.each([0, 1])(
  "P56: a session that one of its two rows of metadata calls incognito does not leave (row %i)",
  async (at) => {
    const made = loose();
    addSession(made, "s");
    addSession(made, "good");
    made.db.exec("DELETE FROM session_windows WHERE session_id = 's'");
    const keys = ["agent:main:open", "agent:main:dashboard:incognito-1"];
    if (at === 0) keys.reverse();
    for (const key of keys) made.insert("session_windows", { session_id: "s", session_key: key });
    expect(ids(await made.store.list())).toEqual(["good"]);
  },
);

const hostile: fc.Arbitrary<SQLInputValue> = fc.oneof(
  fc.constantFrom<SQLInputValue[]>(
    null,
    "",
    0,
    -1,
    1,
    2n ** 53n,
    2n ** 60n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    1.5,
    Number.POSITIVE_INFINITY,
    "../x",
    "good",
    "file",
    "sqlite",
    "reset",
    "{}",
    "[",
    "[".repeat(2000),
    '{"label":{"a":[1]},"displayName":7}',
    "a\u0000b",
    new Uint8Array(),
    new Uint8Array([0xff, 0xfe]),
    new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0]),
    `${"0".repeat(64)}.jsonl.zst`,
    "0".repeat(64),
  ),
  fc.string({ maxLength: 10 }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.uint8Array({ maxLength: 20 }),
);

const TABLES: Record<string, readonly string[]> = {
  session_windows: [
    "session_id",
    "session_key",
    "updated_at",
    "transcript_updated_at",
    "display_name",
    "created_at",
    "chat_type",
    "spawned_by",
  ],
  session_nodes: ["session_key", "current_session_id", "entry_json", "label", "display_name"],
  transcript_rewrite_watermarks: ["session_id", "generation"],
  session_transcript_archives: ["session_id", "reason"],
  transcript_events: [
    "session_id",
    "seq",
    "event_json",
    "event_zstd",
    "event_utf8_bytes",
    "created_at",
  ],
  session_transcript_cold_archives: [
    "session_id",
    "generation",
    "archive_name",
    "archive_sha256",
    "event_count",
    "raw_bytes",
    "last_seq",
    "storage",
    "archive_blob",
  ],
};

const row = fc.constantFrom(...Object.keys(TABLES)).chain((table) =>
  fc.tuple(
    fc.constant(table),
    fc.tuple(
      // One session, so that its rows meet.
      fc.oneof(
        { weight: 3, arbitrary: fc.constant("evil" as SQLInputValue) },
        { weight: 1, arbitrary: hostile },
      ),
      fc.array(hostile, { minLength: 8, maxLength: 8 }),
    ),
  ),
);

test("P64: whatever values a database holds, good sessions are listed and read, and nothing but a StoreError is thrown", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      async (rows, needsNames) => {
        const made = loose(needsNames);
        addSession(made, "zz-good");
        for (const [table, [first, values]] of rows) {
          const columns = TABLES[table] ?? [];
          const all = [first, ...values].slice(0, columns.length);
          const record = Object.fromEntries(
            columns.map((name, at) => [name, all[at] as SQLInputValue]),
          );
          // The good session's own rows stay as they are.
          if (!Object.values(record).includes("zz-good")) made.insert(table, record);
        }
        const listing = await made.store.list();
        expect(ids(listing)).toContain("zz-good");
        expect(await readAll(made.store, "zz-good")).toBe(5);
        for (const stream of listing.streams) {
          expect(stream.sessionId).toMatch(/^[^./\\\p{C}][^/\\\p{C}]*$/u);
          expect(Number.isSafeInteger(stream.bytes) && Number.isSafeInteger(stream.changedAt)).toBe(
            true,
          );
          for (const name of stream.names) expect(typeof name).toBe("string");
          expect(Number.isSafeInteger(stream.startTime ?? 0)).toBe(true);
          await readAll(made.store, stream.sessionId).catch((error: unknown) => {
            if (!(error instanceof StoreError || error instanceof SourceChangedError)) throw error;
          });
        }
        await made.store.close();
        made.db.close();
      },
    ),
    { numRuns: 300 },
  );
});

test("P64: bad rows of one agent's database leave those of the others alone, in every way in", async () => {
  await using lab = await Lab.start();
  lab.session("good", "g");
  const made = loose();
  addSession(made, "../x");
  addSession(made, "bad", { transcript_events: { seq: 2n ** 60n } });
  addSession(made, "fine");
  await made.store.close();
  made.db.close();
  const { cpSync, mkdirSync } = await import("node:fs");
  const { dirname, join } = await import("node:path");
  const path = join(lab.stateDir, "agents/evil/agent/openclaw-agent.sqlite");
  mkdirSync(dirname(path), { recursive: true });
  cpSync(made.path, path);
  const { code, out } = await lab.sync();
  expect(lab.receivedSessions()).toEqual(["evil/fine", "good/g"]);
  expect(code).toBe(2);
  expect(out).toMatch(/Failed: evil: 1 session in its database has an id of a form/);
  expect(out).toMatch(/Failed: evil\/bad: session bad has events whose numbers/);
  const { counts, agents } = JSON.parse((await lab.status({ json: true })).out);
  expect(counts).toMatchObject({ found: 3, uploaded: 2, failing: 1 });
  expect(agents[0]).toMatchObject({
    agentId: "evil",
    failures: [expect.stringContaining("1 session")],
  });
});
