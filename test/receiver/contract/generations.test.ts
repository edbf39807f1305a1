import { describe, expect, test } from "vitest";
import { FIRST_LINE_HEADER, GENERATION_HEADER } from "../../../src/protocol/wire.ts";
import { BACKENDS, type ContractReceiver } from "../backends.ts";
import { type Answered, send } from "../support.ts";
import { body } from "../wire.ts";

/** A clock in ms, as a client that lost its ledger begins a generation with. */
const CLOCK = 1_790_000_000_000;

/** Sends lines `from` to `to` of a session whose payloads say their generation. */
function sendPart(
  { url }: ContractReceiver,
  generation: number | undefined,
  [from, to]: readonly [number, number],
  options: { key?: string; text?: string } = {},
): Promise<Answered> {
  const { text = String(generation) } = options;
  const key = options.key ?? `${text} ${from}`;
  return send(url, key, body(from, to, { payload: `{"text":"${text}"}` }), {
    [GENERATION_HEADER]: generation?.toString(),
    [FIRST_LINE_HEADER]: String(from),
  });
}

/** What the lines of each generation say, from the oldest to the newest. */
async function held(receiver: ContractReceiver): Promise<string[][]> {
  return (await receiver.held()).map(({ text }) =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line).text),
  );
}

describe.for(BACKENDS)("in $name", { timeout: 30_000 }, ({ start }) => {
  test("a late part of an older generation is stored where it belongs", async () => {
    const receiver = await start();
    await sendPart(receiver, 1, [0, 1]);
    await sendPart(receiver, 2, [0, 1]);
    expect((await sendPart(receiver, 1, [1, 3])).status).toBe(200);
    expect((await sendPart(receiver, 2, [1, 2])).status).toBe(200);
    expect(await held(receiver)).toEqual([
      ["1", "1", "1"],
      ["2", "2"],
    ]);
  });

  test("the receipt of a late part names the newest generation, and is the same beside that", async () => {
    const receiver = await start();
    const first = await sendPart(receiver, CLOCK, [0, 1]);
    const next = await sendPart(receiver, CLOCK + 7, [0, 1]);
    expect([first.json, next.json]).toEqual([
      { accepted: 1, rejected: 0, batchId: expect.any(String) },
      { accepted: 1, rejected: 0, batchId: expect.any(String) },
    ]);
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
    const receiver = await start();
    await sendPart(receiver, 7, [0, 1]);
    expect((await sendPart(receiver, 3, [0, 2])).status).toBe(200);
    // A part that does not say its generation continues the newest.
    expect((await sendPart(receiver, undefined, [1, 2], { text: "7" })).status).toBe(200);
    const expected = [
      ["3", "3"],
      ["7", "7"],
    ];
    expect(await held(receiver)).toEqual(expected);
    expect(await held(await receiver.restart())).toEqual(expected);
  });

  test("a part that does not continue its generation is refused and changes nothing", async () => {
    const receiver = await start();
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
    expect(await held(receiver)).toEqual([["5", "5"]]);
  });

  test("clients with and without the header take turns on one session", async () => {
    const receiver = await start();
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
    expect(await held(receiver)).toEqual([["a", "a"], ["b"], ["c", "c", "c"], ["d", "d"]]);
  });

  test("nothing is newer than the largest generation", async () => {
    const receiver = await start();
    await sendPart(receiver, Number.MAX_SAFE_INTEGER, [0, 1], { text: "last" });
    const next = await sendPart(receiver, undefined, [0, 1], { text: "next" });
    expect(next).toMatchObject({ status: 409, json: { error: { code: "OUT_OF_ORDER" } } });
    expect((await sendPart(receiver, undefined, [1, 2], { text: "last" })).status).toBe(200);
    expect(await held(receiver)).toEqual([["last", "last"]]);
  });

  test("beginnings of many generations at once are each stored once", async () => {
    const receiver = await start();
    const generations = [4, 2, 9, 1, 7, 3];
    const beginnings = generations.flatMap((n) => [n, n]);
    const answers = await Promise.all(beginnings.map((n) => sendPart(receiver, n, [0, 50])));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const texts = (await held(receiver)).map((lines) => [lines[0], lines.length]);
    expect(texts).toEqual([...generations].sort().map((n) => [`${n}`, 50]));
    expect(await receiver.counts()).toEqual({ parts: 6, repeats: 6 });
  });

  test("of two parts at once for one place, one is stored and one refused", async () => {
    const receiver = await start();
    const texts = ["x", "y"];
    const answers = await Promise.all(
      texts.map((text) => sendPart(receiver, 1, [0, 500], { key: text, text })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const winner = texts[answers.findIndex(({ status }) => status === 200)];
    expect(await held(receiver)).toEqual([Array(500).fill(winner)]);
  });
});
