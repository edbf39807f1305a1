import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { FIRST_LINE_HEADER, GENERATION_HEADER } from "../../src/protocol/wire.ts";
import type { Receiver } from "../../src/receiver/server.ts";
import { type Answered, receiverIn, send, tempDir } from "./support.ts";
import { body } from "./wire.ts";

/** A clock in ms, as a client that lost its ledger begins a generation with. */
const CLOCK = 1_790_000_000_000;

/** Sends lines `from` to `to` of a session whose payloads say their generation. */
function sendPart(
  { url }: Receiver,
  generation: number | undefined,
  [from, to]: readonly [number, number],
  options: { key?: string; text?: string; sessionId?: string } = {},
): Promise<Answered> {
  const { text = String(generation), sessionId = "s1" } = options;
  const key = options.key ?? `${sessionId} ${text} ${from}`;
  const content = body(from, to, { sessionId, payload: `{"text":"${text}"}` });
  return send(url, key, content, {
    [GENERATION_HEADER]: generation?.toString(),
    [FIRST_LINE_HEADER]: String(from),
  });
}

/** Each generation of the session from the oldest to the newest: its file, and what its lines say. */
async function held(receiver: Receiver, sessionId = "s1"): Promise<[string, string[]][]> {
  const rows = receiver.sessions().filter((one) => one.sessionId === sessionId);
  return Promise.all(
    rows.map(async ({ file }): Promise<[string, string[]]> => {
      const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
      return [basename(file), lines.map((line) => JSON.parse(line).text)];
    }),
  );
}

test("a part with a generation begins it at line 0 and continues it where it ended", async () => {
  const receiver = await receiverIn(await tempDir());
  expect((await sendPart(receiver, CLOCK, [0, 2])).status).toBe(200);
  expect((await sendPart(receiver, CLOCK, [2, 3])).status).toBe(200);
  expect((await sendPart(receiver, CLOCK + 1, [0, 1])).status).toBe(200);
  expect(await held(receiver)).toEqual([
    ["s1.jsonl", Array(3).fill(`${CLOCK}`)],
    ["s1.g1.jsonl", [`${CLOCK + 1}`]],
  ]);
});

test("a late part of an older generation is stored where it belongs", async () => {
  const receiver = await receiverIn(await tempDir());
  await sendPart(receiver, 1, [0, 1]);
  await sendPart(receiver, 2, [0, 1]);
  expect((await sendPart(receiver, 1, [1, 3])).status).toBe(200);
  expect((await sendPart(receiver, 2, [1, 2])).status).toBe(200);
  expect(await held(receiver)).toEqual([
    ["s1.jsonl", ["1", "1", "1"]],
    ["s1.g1.jsonl", ["2", "2"]],
  ]);
});

test("the receipt of a late part names the newest generation, and is the same beside that", async () => {
  const receiver = await receiverIn(await tempDir());
  const first = await sendPart(receiver, CLOCK, [0, 1]);
  expect(Object.keys(first.json)).toEqual(["accepted", "rejected", "batchId"]);
  expect((await sendPart(receiver, CLOCK + 7, [0, 1])).json).not.toHaveProperty("newestGeneration");
  const late = await sendPart(receiver, CLOCK, [1, 3]);
  expect(late.json).toMatchObject({ accepted: 2, newestGeneration: CLOCK + 7 });
  await sendPart(receiver, CLOCK + 9, [0, 1]);
  const newestGeneration = CLOCK + 9;
  expect((await sendPart(receiver, CLOCK, [1, 3])).json).toEqual({
    ...late.json,
    newestGeneration,
  });
  expect((await sendPart(receiver, CLOCK, [0, 1])).json).toEqual({
    ...first.json,
    newestGeneration,
  });
});

test("the late beginning of an older generation never becomes the newest", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  await sendPart(receiver, 7, [0, 1]);
  expect((await sendPart(receiver, 3, [0, 2])).status).toBe(200);
  // A part that does not say its generation continues the newest.
  expect((await sendPart(receiver, undefined, [1, 2], { text: "7" })).status).toBe(200);
  const expected = [
    ["s1.g1.jsonl", ["3", "3"]],
    ["s1.jsonl", ["7", "7"]],
  ];
  expect(await held(receiver)).toEqual(expected);
  await receiver.close();
  expect(await held(await receiverIn(dir))).toEqual(expected);
});

test("a part that does not continue its generation is refused and changes nothing", async () => {
  const receiver = await receiverIn(await tempDir());
  await sendPart(receiver, 5, [0, 2]);
  const refused: [generation: number | undefined, range: [number, number], message: string][] = [
    [5, [1, 3], "the part begins at line 1, but the session's generation 5 holds 2 lines"],
    [5, [3, 4], "the part begins at line 3, but the session's generation 5 holds 2 lines"],
    // It never begins something else.
    [5, [0, 1], "the part begins at line 0, but the session's generation 5 holds 2 lines"],
    [6, [2, 3], "the part begins at line 2, but the session's generation 6 holds 0 lines"],
    [4, [2, 3], "the part begins at line 2, but the session's generation 4 holds 0 lines"],
    [
      undefined,
      [1, 2],
      "the part begins at line 1, but the session's newest generation holds 2 lines",
    ],
  ];
  for (const [generation, range, message] of refused) {
    const answer = await sendPart(receiver, generation, range, { key: "new", text: "wrong" });
    expect(answer).toMatchObject({
      status: 409,
      json: { error: { code: "OUT_OF_ORDER", message } },
    });
  }
  expect(await held(receiver)).toEqual([["s1.jsonl", ["5", "5"]]]);
});

test("a known key is answered from the record, whatever has come since", async () => {
  const receiver = await receiverIn(await tempDir());
  const first = await sendPart(receiver, 1, [0, 2]);
  await sendPart(receiver, 1, [2, 3]);
  await sendPart(receiver, 2, [0, 1]);
  expect(await sendPart(receiver, 1, [0, 2])).toMatchObject({ status: 200, json: first.json });
  // As from the version before, which did not send it.
  const options = { key: "s1 1 0", text: "1" };
  expect(await sendPart(receiver, undefined, [0, 2], options)).toMatchObject({ json: first.json });
  const other = await sendPart(receiver, 1, [0, 2], { key: "s1 1 0", text: "other" });
  expect(other).toMatchObject({ status: 422, json: { error: { code: "KEY_REUSED" } } });
  expect(await held(receiver)).toHaveLength(2);
});

test("clients with and without the header take turns on one session", async () => {
  const receiver = await receiverIn(await tempDir());
  const steps: [generation: number | undefined, range: [number, number], text: string][] = [
    [undefined, [0, 1], "a"],
    [undefined, [0, 1], "b"],
    [CLOCK, [0, 1], "c"],
    [undefined, [1, 2], "c"],
    [undefined, [0, 1], "d"],
    [CLOCK + 1, [1, 2], "d"],
    [CLOCK, [2, 3], "c"],
    [0, [1, 2], "a"],
  ];
  for (const [n, [generation, range, text]] of steps.entries()) {
    const { status } = await sendPart(receiver, generation, range, { key: `k${n}`, text });
    expect(status, `step ${n}`).toBe(200);
  }
  expect(await held(receiver)).toEqual([
    ["s1.jsonl", ["a", "a"]],
    ["s1.g1.jsonl", ["b"]],
    ["s1.g2.jsonl", ["c", "c", "c"]],
    ["s1.g3.jsonl", ["d", "d"]],
  ]);
});

test("nothing is newer than the largest generation", async () => {
  const receiver = await receiverIn(await tempDir());
  await sendPart(receiver, Number.MAX_SAFE_INTEGER, [0, 1], { text: "last" });
  const next = await sendPart(receiver, undefined, [0, 1], { text: "next" });
  expect(next).toMatchObject({ status: 409, json: { error: { code: "OUT_OF_ORDER" } } });
  expect((await sendPart(receiver, undefined, [1, 2], { text: "last" })).status).toBe(200);
  expect(await held(receiver)).toEqual([["s1.jsonl", ["last", "last"]]]);
});

test("beginnings of many generations at once are each stored once", async () => {
  const receiver = await receiverIn(await tempDir());
  const generations = [4, 2, 9, 1, 7, 3];
  const beginnings = generations.flatMap((n) => [n, n]);
  const answers = await Promise.all(beginnings.map((n) => sendPart(receiver, n, [0, 50])));
  expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
  const texts = (await held(receiver)).map(([, lines]) => [lines[0], lines.length]);
  expect(texts).toEqual([...generations].sort().map((n) => [`${n}`, 50]));
  expect(receiver.stats()).toMatchObject({ parts: 6, repeats: 6 });
});

test("of two parts at once for one place, one is stored and one refused", async () => {
  const receiver = await receiverIn(await tempDir());
  const texts = ["x", "y"];
  const answers = await Promise.all(
    texts.map((text) => sendPart(receiver, 1, [0, 500], { key: text, text })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  const winner = texts[answers.findIndex(({ status }) => status === 200)];
  expect(await held(receiver)).toEqual([["s1.jsonl", Array(500).fill(winner)]]);
});

test("sessions have generations of their own", async () => {
  const receiver = await receiverIn(await tempDir());
  await sendPart(receiver, 2, [0, 1], { sessionId: "a" });
  await sendPart(receiver, 1, [0, 1], { sessionId: "b" });
  await sendPart(receiver, 3, [0, 1], { sessionId: "b" });
  expect(await held(receiver, "a")).toEqual([["a.jsonl", ["2"]]]);
  expect(await held(receiver, "b")).toEqual([
    ["b.jsonl", ["1"]],
    ["b.g1.jsonl", ["3"]],
  ]);
});

const HEADERS = [GENERATION_HEADER, FIRST_LINE_HEADER];
const malformed = ["", "-1", "+1", "1.0", "1e3", "0x1", "01", "one", "1, 1", "9007199254740992"];

test.for(HEADERS)("a malformed %s is refused with the form that is expected", async (header) => {
  const receiver = await receiverIn(await tempDir());
  for (const value of malformed) {
    const answer = await send(receiver.url, "k1", body(0, 1), { [header]: value });
    expect(answer.status, value).toBe(400);
    expect(answer.json.error).toEqual({
      code: "MALFORMED_HEADER",
      message: `the ${header} header must be a decimal integer from 0 to 9007199254740991`,
    });
  }
  expect(receiver.sessions()).toEqual([]);
});

test("a first line that is not the body's is refused", async () => {
  const receiver = await receiverIn(await tempDir());
  for (const generation of [undefined, "1"]) {
    const headers = { [GENERATION_HEADER]: generation, [FIRST_LINE_HEADER]: "3" };
    const answer = await send(receiver.url, "k1", body(0, 2), headers);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toEqual({
      code: "FIRST_LINE_MISMATCH",
      message: `${FIRST_LINE_HEADER} is 3, but the body begins with lineIndex 0`,
    });
  }
  expect(receiver.sessions()).toEqual([]);
});

test("each of the two headers may come alone", async () => {
  const receiver = await receiverIn(await tempDir());
  const one = await send(receiver.url, "k1", body(0, 1), { [GENERATION_HEADER]: "5" });
  const two = await send(receiver.url, "k2", body(1, 2), { [FIRST_LINE_HEADER]: "1" });
  expect([one.status, two.status]).toEqual([200, 200]);
  expect(receiver.sessions()).toMatchObject([{ lines: 2 }]);
});

test("the log says which parts came late", async () => {
  const lines: string[] = [];
  const receiver = await receiverIn(await tempDir(), { log: (text) => lines.push(text) });
  await sendPart(receiver, 3, [0, 1]);
  await sendPart(receiver, 5, [0, 1]);
  await sendPart(receiver, 4, [0, 1]);
  await sendPart(receiver, 3, [1, 2]);
  expect(lines.map((line) => line.split(", ").slice(3).join(", "))).toEqual([
    "",
    "starts again (generation 1)",
    "late, for the older generation 2",
    "late, for the older generation 0",
  ]);
});

/** An index of version 1, with three generations of `s1` in `dir`. */
async function version1(dir: string): Promise<void> {
  const receiver = await receiverIn(dir);
  for (const text of ["a", "b", "c"]) {
    await sendPart(receiver, undefined, [0, 2], { key: text, text });
  }
  await receiver.close();
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec(`DROP INDEX sessions_by_wire_generation;
           ALTER TABLE sessions DROP COLUMN wire_generation;
           ALTER TABLE sessions DROP COLUMN owner; ALTER TABLE sessions DROP COLUMN unnamed_after;
           DROP INDEX parts_by_generation; DROP TABLE tombstones;
           PRAGMA user_version = 1; PRAGMA journal_mode = DELETE`);
  db.close();
}

test("a folder of the version before goes on", async () => {
  const dir = await tempDir();
  await version1(dir);
  const receiver = await receiverIn(dir);
  const repeated = await sendPart(receiver, undefined, [0, 2], { key: "b", text: "b" });
  expect(repeated.status).toBe(200);
  expect(receiver.stats()).toMatchObject({ parts: 3, repeats: 1 });
  expect((await sendPart(receiver, undefined, [2, 3], { key: "c2", text: "c" })).status).toBe(200);
  expect((await sendPart(receiver, 1, [2, 3], { key: "b2", text: "b" })).status).toBe(200);
  expect((await sendPart(receiver, CLOCK, [0, 1], { text: "d" })).status).toBe(200);
  expect(await held(receiver)).toEqual([
    ["s1.jsonl", ["a", "a"]],
    ["s1.g1.jsonl", ["b", "b", "b"]],
    ["s1.g2.jsonl", ["c", "c", "c"]],
    ["s1.g3.jsonl", ["d"]],
  ]);
});

test("an index that cannot be migrated stays as it was", async () => {
  const dir = await tempDir();
  await version1(dir);
  const path = join(dir, "index.sqlite");
  const db = new DatabaseSync(path);
  // What the last step of the migration trips over.
  db.exec("CREATE TABLE sessions_by_wire_generation (x)");
  db.close();
  const before = await readFile(path);
  await expect(receiverIn(dir)).rejects.toMatchObject({ code: "RECEIVER_DAMAGED" });
  expect((await readFile(path)).equals(before)).toBe(true);
});
