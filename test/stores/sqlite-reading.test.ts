import { setImmediate } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../../src/protocol/limits.ts";
import type { Cut } from "../../src/stores/store.ts";
import { conversation, drain, openAgent, readerOf } from "../support/agent-db.ts";

const FULL = { maxBytes: MAX_PART_BYTES };

function range(cut: Cut): Extract<Cut, { kind: "range" }> {
  if (cut.kind !== "range") throw new Error(`no range but ${cut.kind}`);
  return cut;
}

test("P22: compressed events arrive exactly as the original JSON, in their order", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 400, 2000));
  const { packed } = agent.db
    .prepare("SELECT count(*) AS packed FROM transcript_events WHERE event_zstd IS NOT NULL")
    .get() as { packed: number };
  expect(packed).toBe(399);
  expect((await drain(await readerOf(store, "s"))).lines).toEqual(agent.texts("s"));
});

test("P22: large compressed events arrive exactly as the original JSON", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 4, 3_000_000));
  const { lines } = await drain(await readerOf(store, "s"), FULL);
  expect(lines).toEqual(agent.texts("s"));
});

test("a database without compressed events (agent schema 19) is read the same way", async () => {
  const { agent, store } = openAgent({ schema: 19 });
  agent.addSession("s", conversation("s", 50, 2000));
  expect((await drain(await readerOf(store, "s"))).lines).toEqual(agent.texts("s"));
});

test.each(["file", "sqlite"] as const)(
  "a session in cold storage (%s) arrives exactly as it was",
  async (storage) => {
    const { agent, store } = openAgent();
    agent.addSession("s", conversation("s", 300, 2000));
    const texts = agent.texts("s");
    agent.moveToCold("s", storage);
    expect((await drain(await readerOf(store, "s"))).lines).toEqual(texts);
  },
);

test("a part ends at an event and never exceeds its limit", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 300, 700));
  const reader = await readerOf(store, "s");
  const maxBytes = 10_000;
  let from = 0;
  for (;;) {
    const cut = await reader.cut(from, { maxBytes });
    if (cut.kind === "end") break;
    expect(range(cut).bytes).toBeLessThanOrEqual(maxBytes);
    let text = "";
    for await (const block of reader.read(from, range(cut).end)) text += block.toString();
    expect(Buffer.byteLength(text)).toBe(range(cut).bytes);
    expect(text.endsWith("}\n")).toBe(true);
    from = range(cut).end;
  }
  expect(from).toBe(300);
});

test("an event larger than the limit is over it; with room it goes out alone", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 3, 5000));
  const reader = await readerOf(store, "s");
  const { end } = range(await reader.cut(0, { maxBytes: 500 }));
  expect(end).toBe(1);
  const bytes = Buffer.byteLength(agent.texts("s")[1] ?? "") + 1;
  expect(await reader.cut(end, { maxBytes: bytes - 1 })).toEqual({ kind: "over", bytes });
  expect(await reader.cut(end, { maxBytes: bytes })).toMatchObject({
    kind: "range",
    end: 2,
    bytes,
  });
});

test.each(["live", "cold"])(
  "a single event above the cap is a range of its own, omitted (%s)",
  async (where) => {
    const { agent, store } = openAgent();
    const huge = (quotes: number) =>
      `{"type":"custom","id":"huge","data":"${'\\"'.repeat(quotes)}"}`;
    const frame = Buffer.byteLength(huge(0));
    // One that just fits, and one that is larger by its smallest step.
    const fits = huge(Math.floor((MAX_LINE_BYTES - 1 - frame) / 2));
    const tooLong = huge(Math.floor((MAX_LINE_BYTES - 1 - frame) / 2) + 1);
    agent.addSession("s", [
      ...conversation("s", 3),
      fits,
      tooLong,
      { type: "custom", id: "after" },
    ]);
    const muchTooLong = huge(MAX_LINE_BYTES + 5);
    agent.append("s", [muchTooLong, { type: "custom", id: "last" }]);
    if (where === "cold") agent.moveToCold("s");
    const reader = await readerOf(store, "s");
    const first = range(await reader.cut(0, { maxBytes: 2000 }));
    expect(first.end).toBe(3);
    const second = range(await reader.cut(3, FULL));
    expect(second).toMatchObject({ end: 4, bytes: fits.length + 1, omitted: false });
    const third = range(await reader.cut(4, FULL));
    expect(third).toMatchObject({ end: 5, bytes: tooLong.length + 1, omitted: true });
    const fourth = range(await reader.cut(5, FULL));
    expect(fourth).toMatchObject({ end: 6, omitted: false });
    const fifth = range(await reader.cut(6, FULL));
    expect(fifth).toMatchObject({ end: 7, bytes: muchTooLong.length + 1, omitted: true });
    expect(range(await reader.cut(7, FULL))).toMatchObject({ end: 8, omitted: false });
    const position = { offset: 7, lines: 7, messages: 2, fingerprint: fifth.fingerprint };
    expect(await reader.verify(position)).toBe("same");
  },
);

test("numbers with gaps, or that do not begin at 0, are walked as they are", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10));
  agent.db.exec("DELETE FROM transcript_events WHERE seq IN (0, 1, 4, 5, 8)");
  const reader = await readerOf(store, "s");
  const { lines, end } = await drain(reader, { maxBytes: 900 });
  expect(lines).toEqual(agent.texts("s"));
  expect(lines).toHaveLength(5);
  expect(end).toBe(10);
});

test("an event that is not on one line becomes one, with the same number of bytes", async () => {
  const { agent, store } = openAgent();
  const pretty = '{\r\n  "type": "custom",\n  "text": "a\\nb"\n}\n';
  agent.addSession("s", [pretty, { type: "custom" }]);
  const { lines } = await drain(await readerOf(store, "s"));
  expect(lines).toEqual(['{    "type": "custom",   "text": "a\\nb" } ', '{"type":"custom"}']);
});

test("P38: between two pages no read of the database is open, and the event loop gets its turn", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 1000, 200));
  const reader = await readerOf(store, "s");
  let turns = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      await setImmediate();
      turns += 1;
    }
  })();
  let pages = 0;
  for await (const block of reader.read(0, 1000)) {
    pages += 1;
    expect(block.length).toBeLessThanOrEqual(1024 * 1024 + 200);
    // Truncating the log is refused while anybody reads.
    agent.append("s", [{ type: "custom" }]);
    expect(agent.db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
  }
  running = false;
  await loop;
  expect(pages).toBeGreaterThanOrEqual(5);
  expect(turns).toBeGreaterThanOrEqual(pages);
});

test("a page holds at most about one MiB, whatever the rows", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 30, 300_000));
  const reader = await readerOf(store, "s");
  const { end } = range(await reader.cut(0, FULL));
  for await (const block of reader.read(0, end)) {
    expect(block.length).toBeLessThanOrEqual(1024 * 1024 + 30);
  }
});

test("reading can be aborted between pages", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 1000, 200));
  const reader = await readerOf(store, "s");
  const abort = new AbortController();
  const pages = reader.read(0, 1000, abort.signal)[Symbol.asyncIterator]();
  await pages.next();
  abort.abort();
  await expect(pages.next()).rejects.toThrow(/abort/i);
});

test("P22: a blob that unpacks to more than it says never fills the memory", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 3, 2000));
  agent.damage("s", 1, { event_zstd: zstdCompressSync(Buffer.alloc(50_000_000, "x")) });
  const reader = await readerOf(store, "s");
  await expect(drain(reader)).rejects.toMatchObject({
    code: "EVENT_DAMAGED",
    cause: { code: "ERR_BUFFER_TOO_LARGE" },
  });
});
