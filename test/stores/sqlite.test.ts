import { openSync, writeSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { conversation, drain, openAgent, streamOf } from "../support/agent-db.ts";

async function signatureOf(store: Store, sessionId: string): Promise<string> {
  return (await streamOf(store, sessionId)).signature;
}

test("live sessions, history of a rollover and cold sessions are each one stream", async () => {
  const { agent, store } = openAgent();
  agent.addSession("live", conversation("live", 5));
  agent.addSession("rolled-over", conversation("rolled-over", 7));
  agent.addSession("cold-file", conversation("cold-file", 4));
  agent.addSession("cold-sqlite", conversation("cold-sqlite", 4));
  agent.moveToCold("cold-file");
  agent.moveToCold("cold-sqlite", "sqlite");
  const { streams, problems } = await store.list();
  expect(problems).toEqual([]);
  expect(streams.map(({ sessionId, source, agentId }) => [agentId, sessionId, source])).toEqual([
    ["main", "cold-file", "sqlite"],
    ["main", "cold-sqlite", "sqlite"],
    ["main", "live", "sqlite"],
    ["main", "rolled-over", "sqlite"],
  ]);
});

test("the listed size is the size that is read, whatever the encoding", async () => {
  const { agent, store } = openAgent();
  agent.addSession("plain", conversation("plain", 20, 100));
  agent.addSession("compressed", conversation("compressed", 20, 5000));
  agent.addSession("cold", conversation("cold", 20, 5000));
  agent.moveToCold("cold");
  const { streams } = await store.list();
  for (const stream of streams) {
    const { lines } = await drain(await store.open(stream));
    expect(stream.bytes).toBe(Buffer.byteLength(`${lines.join("\n")}\n`));
    expect(await (await store.open(stream)).bytesAfter(0)).toBe(stream.bytes);
  }
});

test("a session without events is not listed", async () => {
  const { agent, store } = openAgent();
  agent.addSession("empty", []);
  expect((await store.list()).streams).toEqual([]);
});

test("P18: a deleted session is not listed, nor its archive", async () => {
  const { agent, store } = openAgent();
  agent.addSession("kept", conversation("kept", 3));
  agent.addSession("gone", conversation("gone", 3));
  const stream = await streamOf(store, "gone");
  agent.deleteSession("gone");
  expect((await store.list()).streams.map(({ sessionId }) => sessionId)).toEqual(["kept"]);
  await expect(store.open(stream)).rejects.toMatchObject({ code: "SESSION_GONE" });
});

test("P56: a session of an incognito key does not leave, should it ever be on disk", async () => {
  const { agent, store } = openAgent();
  agent.addSession("secret", conversation("secret", 3), "agent:main:dashboard:incognito-1234");
  agent.addSession("open", conversation("open", 3), "agent:main:dashboard:1234");
  expect((await store.list()).streams.map(({ sessionId }) => sessionId)).toEqual(["open"]);
});

test("the signature changes with every append, rewrite and trim", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 5));
  const seen = [await signatureOf(store, "s")];
  agent.append("s", [{ type: "custom", id: "a" }]);
  seen.push(await signatureOf(store, "s"));
  agent.put("s", 2, '{"type":"message","id":"rewritten"}');
  agent.rotate("s");
  seen.push(await signatureOf(store, "s"));
  agent.renumber("s", conversation("s", 6));
  seen.push(await signatureOf(store, "s"));
  agent.touch("s");
  seen.push(await signatureOf(store, "s"));
  expect(new Set(seen).size).toBe(seen.length);
});

test("the signature stays while nothing is written, also when a session moves to cold storage", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 5));
  agent.addSession("other", conversation("other", 5));
  const before = await signatureOf(store, "s");
  agent.append("other", [{ type: "custom", id: "a" }]);
  expect(await signatureOf(store, "s")).toBe(before);
  agent.moveToCold("s");
  expect(await signatureOf(store, "s")).toBe(before);
});

test("ten thousand idle sessions are listed without reading one page of their events", async () => {
  const { agent, store } = openAgent();
  agent.db.exec("BEGIN");
  const insert = {
    window: agent.db.prepare(
      "INSERT INTO session_windows VALUES (?, 'agent:main:x', NULL, 1, 1, 1, NULL, NULL)",
    ),
    mark: agent.db.prepare("INSERT INTO transcript_rewrite_watermarks VALUES (?, 'g', 1)"),
  };
  for (let index = 0; index < 10_000; index++) {
    const id = `session-${index}`;
    insert.window.run(id);
    insert.mark.run(id);
    for (let seq = 0; seq < 3; seq++) agent.put(id, seq, '{"type":"message","message":{}}');
  }
  agent.db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);");
  const first = await store.list();
  expect(first.streams).toHaveLength(10_000);
  await store.close();

  // Every page of the table is destroyed; only its index, which holds ids and numbers, stays.
  const pages = agent.db
    .prepare("SELECT pageno FROM dbstat WHERE name = 'transcript_events'")
    .all() as { pageno: number }[];
  agent.close();
  expect(pages.length).toBeGreaterThan(300);
  const file = openSync(agent.path, "r+");
  for (const { pageno } of pages)
    writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, (pageno - 1) * 4096);

  const sizes = new Map(first.streams.map((s) => [`${s.sessionId}:${s.signature}`, s.bytes]));
  const idle = openSqliteStore({
    ...agent,
    now: Date.now,
    knownBytes: ({ sessionId, signature }) => sizes.get(`${sessionId}:${signature}`),
  });
  onTestFinished(() => idle.close());
  expect(await idle.list()).toEqual(first);
  await expect(store.list()).rejects.toMatchObject({ code: "DB_DAMAGED" });
});

test("listing can be aborted", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 5));
  await expect(store.list(AbortSignal.abort())).rejects.toThrow(/abort/i);
});
