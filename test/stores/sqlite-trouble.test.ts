import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { SourceChangedError, StoreError } from "../../src/shared/problem.ts";
import { probeDatabase } from "../../src/stores/sqlite.ts";
import type { Reader } from "../../src/stores/store.ts";
import {
  type AgentDb,
  conversation,
  drain,
  openAgent,
  readerOf,
  streamOf,
} from "../support/agent-db.ts";

async function failureOf(action: Promise<unknown>): Promise<StoreError> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`no StoreError: ${error}`);
  return error;
}

/** Reads the first page, lets something happen, and reads on. */
async function interrupted(reader: Reader, end: number, happening: () => void): Promise<void> {
  const pages = reader.read(0, end)[Symbol.asyncIterator]();
  expect((await pages.next()).done).toBe(false);
  happening();
  for (let page = await pages.next(); page.done !== true; page = await pages.next());
}

test.each([
  ["transcript_events", "seq"],
  ["transcript_events", "event_json"],
  ["transcript_events", "event_utf8_bytes"],
  ["session_windows", "transcript_updated_at"],
  ["transcript_rewrite_watermarks", "generation"],
  ["session_transcript_cold_archives", "last_seq"],
])("P22: a renamed column %s.%s stops the agent and is named", async (table, column) => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 3));
  agent.db.exec(`ALTER TABLE ${table} RENAME COLUMN ${column} TO renamed`);
  const error = await failureOf(store.list());
  expect(error.code).toBe("DB_SHAPE");
  expect(error.message).toContain(`column ${table}.${column}`);
  expect(error.message).toContain("agent main");
});

test("P22: a missing table stops the agent and is named", async () => {
  const { agent, store } = openAgent();
  agent.db.exec("ALTER TABLE transcript_events RENAME TO events");
  expect((await failureOf(store.list())).message).toContain("table transcript_events");
});

test("P22: what is found later to be missing stops reading too, instead of sending less", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 3));
  const reader = await readerOf(store, "s");
  agent.db.exec("ALTER TABLE transcript_events RENAME COLUMN event_json TO body");
  expect((await failureOf(drain(reader))).code).toBe("DB_SHAPE");
});

test("P22: events of an encoding that is not known are never passed over", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  agent.db.exec("ALTER TABLE transcript_events ADD COLUMN event_br BLOB");
  agent.damage("s", 4, { event_json: null, event_utf8_bytes: null, event_br: Buffer.from("x") });
  const reader = await readerOf(store, "s");
  const error = await failureOf(drain(reader));
  expect(error.code).toBe("EVENT_ENCODING");
  expect(error.message).toContain("event 4 of session s");
  expect((await failureOf(reader.cut(4, { maxBytes: 9000 }))).code).toBe("EVENT_ENCODING");
});

test("P22: an event that is stored twice over is not trusted", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  agent.damage("s", 4, { event_zstd: zstdCompressSync('{"type":"other"}') });
  expect((await failureOf(drain(await readerOf(store, "s")))).code).toBe("EVENT_ENCODING");
});

const broken: [string, (agent: AgentDb) => void][] = [
  ["a damaged blob", (agent) => agent.damage("s", 4, { event_zstd: Buffer.from("not zstd") })],
  [
    "a cut blob",
    (agent) =>
      agent.damage("s", 4, { event_zstd: zstdCompressSync("{}".repeat(900)).subarray(0, 9) }),
  ],
  ["a length that is wrong", (agent) => agent.damage("s", 4, { event_utf8_bytes: 5000 })],
  ["text that is not JSON", (agent) => agent.damage("s", 4, { event_json: "{", event_zstd: null })],
  ["an empty text", (agent) => agent.damage("s", 4, { event_json: "", event_zstd: null })],
  [
    "bytes that are not UTF-8",
    (agent) =>
      agent.damage("s", 4, {
        event_zstd: zstdCompressSync(Buffer.from([0x22, 0xff, 0x22])),
        event_utf8_bytes: 3,
      }),
  ],
];

test.each(broken)(
  "P22: %s is reported with session, number and what to do",
  async (_what, damage) => {
    const { agent, store } = openAgent();
    agent.addSession("s", conversation("s", 10, 2000));
    damage(agent);
    const error = await failureOf(drain(await readerOf(store, "s")));
    expect(error.code).toBe("EVENT_DAMAGED");
    expect(error.message).toMatch(/event 4 of session s .*openclaw doctor/);
  },
);

test("P58: no message of a damaged event holds any of its text", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  agent.damage("s", 4, { event_json: '{"text":"sentinel-7f3a" broken' });
  const error = await failureOf(drain(await readerOf(store, "s")));
  expect(`${error.message} ${error.stack} ${error.cause}`).not.toContain("sentinel");
});

test("P34: a damaged session does not stop the others", async () => {
  const { agent, store } = openAgent();
  agent.addSession("bad", conversation("bad", 10, 2000));
  agent.addSession("good", conversation("good", 10, 2000));
  agent.damage("bad", 4, { event_zstd: Buffer.from("not zstd") });
  await expect(drain(await readerOf(store, "bad"))).rejects.toThrow(StoreError);
  expect((await drain(await readerOf(store, "good"))).lines).toHaveLength(10);
});

test("P38: a locked database fails a listing or a read at once, and works when it is free", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 500));
  agent.close();
  // Without write-ahead logging a writer locks readers out.
  const locker = new DatabaseSync(agent.path);
  onTestFinished(() => locker.close());
  locker.exec("PRAGMA journal_mode = DELETE");
  const reader = await readerOf(store, "s");
  locker.exec("BEGIN EXCLUSIVE");
  for (const attempt of [() => store.list(), () => drain(reader)]) {
    const error = await failureOf(attempt());
    expect(error.code).toBe("DB_BUSY");
    expect(error.message).toContain("next run");
  }
  locker.exec("COMMIT");
  expect((await drain(reader)).lines).toHaveLength(500);
});

test("P38: a database somebody keeps for himself is busy, not damaged", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 5));
  agent.db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;");
  agent.touch("s");
  expect((await failureOf(store.list())).code).toBe("DB_BUSY");
});

test("P71: a database that is busy is one, one that is gone is none, and one that is damaged is told", async () => {
  const { agent } = openAgent();
  const probe = (): ReturnType<typeof probeDatabase> => probeDatabase("main", agent.path);
  agent.db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;");
  expect(await probe()).toBe(true);
  agent.close();
  writeFileSync(agent.path, "no database".repeat(100));
  expect(await probe()).toMatchObject({ code: "DB_DAMAGED", agentId: "main" });
  rmSync(agent.path);
  expect(await probe()).toBe(false);
});

test("P21: a database that is deleted while it is read ends the part, and is missed afterwards", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 1000));
  const reader = await readerOf(store, "s");
  const reading = interrupted(reader, 1000, () => {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(agent.path + suffix);
  });
  await expect(reading).rejects.toThrow(SourceChangedError);
  await expect(reader.cut(0, { maxBytes: 5000 })).rejects.toThrow(SourceChangedError);
  expect((await failureOf(store.list())).code).toBe("DB_MISSING");
});

test("P21: a database that is replaced is read anew by the next look", async () => {
  const { agent, store, stateDir } = openAgent();
  agent.addSession("s", conversation("s", 10));
  await store.list();
  agent.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const copy = `${stateDir}/copy.sqlite`;
  copyFileSync(agent.path, copy);
  const edit = new DatabaseSync(copy);
  edit.exec("DELETE FROM transcript_events WHERE seq > 4; PRAGMA journal_mode = DELETE;");
  edit.close();
  const reader = await readerOf(store, "s");
  agent.close();
  for (const suffix of ["-wal", "-shm"]) rmSync(agent.path + suffix, { force: true });
  renameSync(copy, agent.path);
  await expect(drain(reader)).rejects.toThrow(SourceChangedError);
  expect((await drain(await readerOf(store, "s"))).lines).toHaveLength(5);
});

test("P21: a reader of a database that another look replaced ends its part, not the run", async () => {
  const { agent, store, stateDir } = openAgent();
  agent.addSession("s", conversation("s", 10));
  agent.db.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;");
  const reader = await readerOf(store, "s");
  agent.close();
  copyFileSync(agent.path, `${stateDir}/copy.sqlite`);
  renameSync(`${stateDir}/copy.sqlite`, agent.path);
  await store.list();
  const uses: (() => Promise<unknown>)[] = [
    () => reader.bytesAfter(0),
    () => reader.cut(0, { maxBytes: 5000 }),
    () => reader.verify({ offset: 3, lines: 3, messages: 2, fingerprint: "x" }),
    () => reader.read(0, 10)[Symbol.asyncIterator]().next(),
  ];
  for (const use of uses) await expect(use()).rejects.toThrow(SourceChangedError);
});

const happenings: [string, (agent: AgentDb) => void][] = [
  ["deleted", (agent) => agent.deleteSession("s")],
  ["rewritten", (agent) => agent.renumber("s", conversation("t", 1000))],
  ["cut down", (agent) => agent.renumber("s", conversation("s", 10))],
  ["moved to cold storage", (agent) => void agent.moveToCold("s")],
];

test.each(happenings)(
  "P18, P31: a session that is %s while it is read ends the part",
  async (_what, happen) => {
    const { agent, store } = openAgent();
    agent.addSession("s", conversation("s", 1000));
    const reader = await readerOf(store, "s");
    await expect(interrupted(reader, 1000, () => happen(agent))).rejects.toThrow(
      SourceChangedError,
    );
  },
);

test("P31: a range that is not what was cut is not sent", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const reader = await readerOf(store, "s");
  await reader.cut(0, { maxBytes: 1_000_000 });
  agent.put("s", 3, '{"type":"message","id":"rewritten"}');
  agent.rotate("s");
  await expect(reader.read(0, 20)[Symbol.asyncIterator]().next()).rejects.toThrow(
    SourceChangedError,
  );
});

test("P31: an event that vanishes while its range is read is missed, also without the table of rewrites", async () => {
  const { agent, store } = openAgent({ schema: 19 });
  agent.addSession("s", conversation("s", 1000));
  agent.db.exec("DROP TABLE transcript_rewrite_watermarks");
  const reader = await readerOf(store, "s");
  const reading = interrupted(reader, 1000, () => {
    agent.db.exec("DELETE FROM transcript_events WHERE seq = 700");
  });
  await expect(reading).rejects.toThrow(SourceChangedError);
});

test("P31: a range beyond the end is not there", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const reader = await readerOf(store, "s");
  await expect(interrupted(reader, 25, () => undefined)).rejects.toThrow(SourceChangedError);
  await expect(reader.read(30, 40)[Symbol.asyncIterator]().next()).rejects.toThrow(
    SourceChangedError,
  );
});

test("P18: a cold session that is deleted while it is read ends the part", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 1000, 3000));
  agent.moveToCold("s");
  const reader = await readerOf(store, "s");
  const reading = interrupted(reader, 1000, () => {
    agent.db.exec("DELETE FROM session_windows");
  });
  await expect(reading).rejects.toThrow(SourceChangedError);
});

const archives: [string, (path: string, agent: AgentDb) => void, string][] = [
  ["missing", (path) => rmSync(path), "COLD_MISSING"],
  ["cut off", (path) => truncateSync(path, statSync(path).size - 20), "COLD_DAMAGED"],
  ["something else", (path) => writeFileSync(path, "not zstd"), "COLD_DAMAGED"],
  [
    "of another content",
    (path) => writeFileSync(path, zstdCompressSync('{"kind":"unknown"}\n')),
    "COLD_DAMAGED",
  ],
  [
    "under a name that leads elsewhere",
    (_path, agent) =>
      agent.db.exec("UPDATE session_transcript_cold_archives SET archive_name = '../x'"),
    "COLD_DAMAGED",
  ],
  [
    "shorter than recorded",
    (_path, agent) => agent.db.exec("UPDATE session_transcript_cold_archives SET event_count = 11"),
    "COLD_DAMAGED",
  ],
  [
    "of another session",
    (_path, agent) =>
      agent.db.exec("UPDATE session_transcript_cold_archives SET generation = 'other'"),
    "COLD_DAMAGED",
  ],
  [
    "not of its checksum",
    (_path, agent) =>
      agent.db.exec(
        `UPDATE session_transcript_cold_archives SET archive_sha256 = '${"0".repeat(64)}'`,
      ),
    "COLD_DAMAGED",
  ],
];

test.each(archives)(
  "P22: a cold archive that is %s is reported, never taken for an empty session",
  async (_what, damage, code) => {
    const { agent, store } = openAgent();
    agent.addSession("s", conversation("s", 10));
    damage(agent.moveToCold("s"), agent);
    const error = await failureOf(readerOf(store, "s"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/session s .*backup/);
  },
);

test("a session that is in the database and in cold storage is not guessed at", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  const texts = agent.texts("s");
  agent.moveToCold("s");
  agent.put("s", 0, texts[0] ?? "");
  expect((await failureOf(readerOf(store, "s"))).code).toBe("DB_SHAPE");
});

test("a store that is closed can be used again, and leaves nothing open", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  await Promise.all([store.list(), store.list(), streamOf(store, "s")]);
  await store.close();
  await store.close();
  // Only the last connection may leave write-ahead logging.
  expect(agent.db.prepare("PRAGMA journal_mode = DELETE").get()).toEqual({
    journal_mode: "delete",
  });
  expect((await store.list()).streams).toHaveLength(1);
});

test("P38: a writer in another process is never refused, and its log is truncated while we read", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 3000, 1000));
  agent.close();
  const writer = await startWriter(agent.path);
  const reader = await readerOf(store, "s");
  let lines = 0;
  for await (const block of reader.read(0, 3000)) {
    lines += block.toString("latin1").split("\n").length - 1;
    const { busy, failures } = await ask(writer, "checkpoint");
    expect({ busy, failures }).toEqual({ busy: 0, failures: [] });
    // As slow as a network.
    await setTimeout(5);
  }
  expect(lines).toBe(3000);
  expect((await ask(writer, "stop")).written).toBeGreaterThan(10);
});

interface Answer {
  readonly busy: number;
  readonly written: number;
  readonly failures: string[];
}

/** Appends events every millisecond or so, as fast as a host would at most, and never waits for a lock. */
async function startWriter(path: string): Promise<ChildProcess> {
  const program = `
    import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(${JSON.stringify(path)}, { timeout: 0 });
    let written = 0;
    const failures = [];
    const timer = setInterval(() => {
      try {
        db.exec("BEGIN IMMEDIATE");
        db.prepare("INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES ('s', ?, '{}', 0)").run(10000 + written++);
        db.exec("COMMIT");
      } catch (error) {
        failures.push(error.message);
      }
    }, 1);
    process.on("message", (message) => {
      const busy = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get().busy;
      process.send({ busy, written, failures });
      if (message === "stop") { clearInterval(timer); db.close(); process.disconnect(); }
    });
    process.send("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  onTestFinished(() => void child.kill());
  await once(child, "message");
  return child;
}

async function ask(writer: ChildProcess, message: string): Promise<Answer> {
  const answer = once(writer, "message");
  writer.send(message);
  return (await answer)[0] as Answer;
}

test("P51: a reader that is busy with a long session ends when it is told to", async () => {
  const { agent, store } = openAgent();
  for (const id of ["live", "cold"]) agent.addSession(id, conversation(id, 5000, 20));
  agent.moveToCold("cold");
  for (const id of ["live", "cold"]) {
    const abort = new AbortController();
    const stream = await streamOf(store, id);
    const reader = await store.open(stream, abort.signal);
    const reading = interrupted(reader, 5000, () => abort.abort(new Error("enough")));
    await expect(reading).rejects.toThrow("enough");
    await expect(store.open(stream, abort.signal).then(drain)).rejects.toThrow("enough");
  }
});
