import fc from "fast-check";
import { expect, test } from "vitest";
import { entryDigest } from "../../src/stores/entry-digest.ts";
import { SETTLE_MS } from "../../src/stores/idle.ts";
import { type Position, type Reader, START } from "../../src/stores/store.ts";
import { conversation, drain, openAgent, readerOf } from "../support/agent-db.ts";

/** The position after everything that is there now. */
async function end(reader: Reader, maxBytes = 5000): Promise<Position> {
  const { lines, end: offset, fingerprint } = await drain(reader, { maxBytes });
  const entry = entryDigest(lines.at(-1) ?? "");
  return { offset, lines: lines.length, messages: lines.length - 1, fingerprint, entry };
}

const EVENT = { type: "custom", id: "new" };

test("P12: a session that only grew is continued: what is new goes out, nothing else", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 50, 2000));
  const position = await end(await readerOf(store, "s"));
  agent.append("s", [EVENT, EVENT]);
  const reader = await readerOf(store, "s");
  expect(await reader.verify(position)).toBe("same");
  expect(await reader.bytesAfter(position.offset)).toBe(2 * (JSON.stringify(EVENT).length + 1));
  const { lines } = await drain(reader, { from: position.offset });
  expect(lines).toEqual([JSON.stringify(EVENT), JSON.stringify(EVENT)]);
});

test("the start always holds", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 5));
  expect(await (await readerOf(store, "s")).verify(START)).toBe("same");
});

test("P14: a transcript that was cut down and renumbered starts again", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.renumber("s", conversation("s", 20).slice(10));
  expect(await (await readerOf(store, "s")).verify(position)).toBe("changed");
});

test("P14: also when it has grown beyond the old position since", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.renumber("s", [...conversation("s", 20).slice(10), ...conversation("t", 30)]);
  expect(await (await readerOf(store, "s")).verify(position)).toBe("changed");
});

test("P15: a delivered event in the middle that was rewritten is noticed", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.put("s", 7, '{"type":"message","id":"rewritten"}');
  agent.rotate("s");
  expect(await (await readerOf(store, "s")).verify(position)).toBe("changed");
});

test("P12: a rewrite of events that were not delivered yet sends nothing again", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.append("s", [EVENT, EVENT]);
  // The host annotates the newest message, and drops an attempt that failed.
  agent.put("s", 20, '{"type":"message","id":"annotated"}');
  agent.db.exec("DELETE FROM transcript_events WHERE seq = 21");
  agent.rotate("s");
  const reader = await readerOf(store, "s");
  expect(await reader.verify(position)).toBe("same");
  const { lines } = await drain(reader, { from: position.offset });
  expect(lines).toEqual(['{"type":"message","id":"annotated"}']);
});

test("P13: a transcript that was rewritten with the same content sends nothing", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20, 2000));
  const position = await end(await readerOf(store, "s"));
  agent.renumber("s", conversation("s", 20, 2000));
  expect(await (await readerOf(store, "s")).verify(position)).toBe("same");
});

test("P16: a session that was deleted and made anew under the same id starts again", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.deleteSession("s");
  agent.addSession("s", conversation("t", 20));
  expect(await (await readerOf(store, "s")).verify(position)).toBe("changed");
});

test("without the table of rewrites a rewrite is noticed all the same", async () => {
  const { agent, store } = openAgent({ schema: 19 });
  agent.addSession("s", conversation("s", 20));
  agent.db.exec("DROP TABLE transcript_rewrite_watermarks");
  const position = await end(await readerOf(store, "s"));
  expect(await (await readerOf(store, "s")).verify(position)).toBe("same");
  agent.put("s", 7, '{"type":"message","id":"rewritten"}');
  agent.touch("s");
  expect(await (await readerOf(store, "s")).verify(position)).toBe("changed");
});

test("a difference moments after a write is looked at again before it is believed", async () => {
  let now = 0;
  const { agent, store } = openAgent({ now: () => now });
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  agent.put("s", 7, '{"type":"message","id":"rewritten"}');
  const writtenAt = Date.parse("2026-12-01T00:00:00Z");
  agent.rotate("s", writtenAt);
  const reader = await readerOf(store, "s");
  now = writtenAt + SETTLE_MS - 1;
  expect(await reader.verify(position)).toBe("unsettled");
  now = writtenAt + SETTLE_MS;
  expect(await reader.verify(position)).toBe("changed");
});

test("a position of another store does not hold here", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20));
  const position = await end(await readerOf(store, "s"));
  const reader = await readerOf(store, "s");
  expect(await reader.verify({ ...position, fingerprint: "0123456789abcdef" })).toBe("changed");
});

test("a position holds whether the parts before it were small or large", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 50));
  const small = await end(await readerOf(store, "s"), 700);
  const large = await end(await readerOf(store, "s"), 1_000_000);
  expect(small).toEqual(large);
});

test.each(["file", "sqlite"] as const)(
  "what was sent before a session went cold (%s) is not sent again, nor when it comes back",
  async (storage) => {
    const { agent, store } = openAgent();
    agent.addSession("s", conversation("s", 20, 2000));
    const texts = agent.texts("s");
    const live = await end(await readerOf(store, "s"));
    agent.moveToCold("s", storage);
    const cold = await readerOf(store, "s");
    expect(await cold.verify(live)).toBe("same");
    expect(await cold.cut(live.offset, { maxBytes: 1000 })).toEqual({ kind: "end", torn: false });
    expect(await end(await readerOf(store, "s"))).toEqual(live);

    agent.db.exec("DELETE FROM session_transcript_cold_archives");
    texts.forEach((text, seq) => {
      agent.put("s", seq, text);
    });
    expect(await (await readerOf(store, "s")).verify(live)).toBe("same");
  },
);

test("what was not sent before a session went cold is delivered from the archive", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 20, 2000));
  const position = await end(await readerOf(store, "s"));
  const more = conversation("t", 20, 2000).slice(1);
  agent.append("s", more);
  agent.moveToCold("s");
  const reader = await readerOf(store, "s");
  expect(await reader.verify(position)).toBe("same");
  const { lines } = await drain(reader, { from: position.offset });
  expect(lines).toEqual(more.map((event) => JSON.stringify(event)));
});

test("P19: an imported JSONL session is continued after its last delivered entry", async () => {
  const { agent, store } = openAgent();
  const events = conversation("s", 20, 2000);
  agent.addSession("s", events);
  // Equal as JSON, not as bytes.
  const delivered = JSON.stringify(events[11], null, 1).replaceAll("\n", " ");
  const position: Position = {
    offset: 123_456,
    lines: 12,
    messages: 11,
    fingerprint: "jsonl",
    entry: entryDigest(delivered),
  };
  const reader = await readerOf(store, "s");
  const continued = await reader.continueFrom?.(position);
  expect(continued).toMatchObject({ offset: 12, lines: 12, messages: 11, entry: position.entry });
  expect(await reader.verify(continued ?? START)).toBe("same");
  const { lines } = await drain(reader, { from: continued?.offset ?? -1 });
  expect(lines).toEqual(events.slice(12).map((event) => JSON.stringify(event)));
  const walked = await end(await readerOf(store, "s"));
  agent.append("s", [EVENT]);
  expect(await (await readerOf(store, "s")).verify(walked)).toBe("same");
});

test("P19: an imported session is also continued from cold storage", async () => {
  const { agent, store } = openAgent();
  const events = conversation("s", 20, 2000);
  agent.addSession("s", events);
  agent.moveToCold("s");
  const entry = entryDigest(JSON.stringify(events[11]));
  const position = { offset: 9, lines: 12, messages: 11, fingerprint: "jsonl", entry };
  expect(await (await readerOf(store, "s")).continueFrom?.(position)).toMatchObject({ offset: 12 });
});

test("P19: a session that is not the import of the delivered one is not continued", async () => {
  const { agent, store } = openAgent();
  const events = conversation("s", 20);
  agent.addSession("s", events);
  const reader = await readerOf(store, "s");
  const base = { offset: 9, lines: 12, messages: 11, fingerprint: "jsonl" };
  const entry = entryDigest(JSON.stringify(events[11]));
  expect(await reader.continueFrom?.({ ...base, entry, lines: 13 })).toBeNull();
  expect(await reader.continueFrom?.({ ...base, entry, lines: 21 })).toBeNull();
  expect(await reader.continueFrom?.({ ...base, entry, lines: 0 })).toBeNull();
  expect(await reader.continueFrom?.(base)).toBeNull();
});

test("an entry's digest does not depend on the order of its keys or on white space", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.jsonValue(), (id, timestamp, content) => {
      const value = { type: "message", id, timestamp, content };
      const reordered = JSON.stringify(value, (_key, inner) =>
        typeof inner === "object" && inner !== null && !Array.isArray(inner)
          ? Object.fromEntries(Object.entries(inner).reverse())
          : inner,
      );
      expect(entryDigest(reordered)).toBe(entryDigest(JSON.stringify(value, null, 2)));
    }),
  );
});

test("an entry's digest tells different entries apart", () => {
  expect(entryDigest('{"__proto__":{"a":1}}')).not.toBe(entryDigest('{"__proto__":{"a":2}}'));
  expect(entryDigest("[1,2]")).not.toBe(entryDigest("[2,1]"));
  expect(entryDigest('{"a":1}')).toMatch(/^[0-9a-f]{32}$/);
});
