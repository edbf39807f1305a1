import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { StoreError } from "../../src/shared/problem.ts";
import { type AgentDb, conversation, drain, openAgent, readerOf } from "../support/agent-db.ts";

const text = (length: number): string =>
  JSON.stringify({ type: "custom", x: "ab ".repeat(length) });

/** The frame of one event. */
function frameOf(agent: AgentDb, seq: number): Buffer {
  const row = agent.db
    .prepare("SELECT event_zstd AS frame FROM transcript_events WHERE seq = ?")
    .get(seq) as { frame: Uint8Array };
  return Buffer.from(row.frame);
}

test("events of every form in one page arrive as they are, in order", async () => {
  const { agent, store } = openAgent();
  const plain = [...conversation("s", 20), text(1000), text(40), text(30_000), text(2000)];
  agent.addSession("s", [...plain, ...conversation("t", 20, 2000)]);
  const stored = agent.texts("s");
  expect((await drain(await readerOf(store, "s"), { maxBytes: 1_000_000 })).lines).toEqual(stored);
});

test.each([
  ["on several lines", '{\n  "type": "custom"\n}', '{   "type": "custom" }'],
  ["that is no object", "[1, 2]", "[1, 2]"],
])("an event %s changes nothing about those beside it", async (_what, odd, line) => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10, 2000));
  agent.put("s", 5, odd);
  const stored = agent.texts("s");
  const { lines } = await drain(await readerOf(store, "s"), { maxBytes: 1_000_000 });
  expect(lines).toEqual(stored.with(5, line));
});

const damages: [string, (agent: AgentDb) => void][] = [
  [
    "that lost its end to the next one",
    (agent) => {
      const [frame, next] = [frameOf(agent, 4), frameOf(agent, 5)];
      agent.damage("s", 4, { event_zstd: frame.subarray(0, -9) });
      agent.damage("s", 5, { event_zstd: Buffer.concat([frame.subarray(-9), next]) });
    },
  ],
  [
    "that is shorter than recorded where the next one is longer",
    (agent) => {
      const bytes = agent.texts("s").map((line) => Buffer.byteLength(line));
      agent.damage("s", 4, { event_utf8_bytes: (bytes[4] ?? 0) + 1 });
      agent.damage("s", 5, { event_utf8_bytes: (bytes[5] ?? 0) - 1 });
    },
  ],
  [
    "with a wrong checksum",
    (agent) => {
      const frame = zstdCompressSync(agent.texts("s")[4] ?? "", { params: { 201: 1 } });
      frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
      agent.damage("s", 4, { event_zstd: frame });
    },
  ],
  [
    "that declares another length than it has",
    (agent) => {
      const frame = frameOf(agent, 4);
      frame[5] = (frame[5] ?? 0) ^ 1;
      agent.damage("s", 4, { event_zstd: frame });
    },
  ],
];

test.each(damages)("P22: a compressed event %s is named", async (_what, damage) => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 10, 2000));
  damage(agent);
  const failure = await drain(await readerOf(store, "s"), { maxBytes: 1_000_000 }).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(StoreError);
  expect(failure).toMatchObject({ code: "EVENT_DAMAGED" });
  expect(String(failure)).toContain("event 4 of session s");
});
