import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BACKENDS, type ContractReceiver } from "../backends.ts";
import { send } from "../support.ts";
import { body, entries } from "../wire.ts";

const ENCODERS = { gzip: gzipSync, zstd: zstdCompressSync };

/** What is held, without who said it. */
async function texts(receiver: ContractReceiver): Promise<string[]> {
  return (await receiver.held()).map(({ text }) => text);
}

describe.for(BACKENDS)("in $name", { timeout: 30_000 }, ({ start }) => {
  test("a part is stored and answered with a receipt", async () => {
    const receiver = await start();
    const answer = await send(receiver.url, "k1", body(0, 3));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ accepted: 3, rejected: 0, batchId: expect.any(String) });
    expect(Object.keys(answer.json)).toEqual(["accepted", "rejected", "batchId"]);
    expect(await receiver.held()).toEqual([
      { agentId: "main", sessionId: "s1", parts: 1, lines: 3, text: entries(0, 3) },
    ]);
  });

  test("a repeated key with an equal body is answered from the record and stores nothing twice", async () => {
    const receiver = await start();
    const text = `${body(0, 2)}garbage\n`;
    const first = await send(receiver.url, "k1", text);
    await send(receiver.url, "k2", body(3, 4));
    const again = await send(receiver.url, "k1", text);
    expect(again).toMatchObject({ status: 200, json: first.json });
    expect(again.json.errors).toEqual([{ lineIndex: 2, reason: "the line is not a JSON object" }]);
    expect(await texts(receiver)).toEqual([entries(0, 2) + entries(3, 4)]);
    expect(await receiver.counts()).toEqual({ parts: 2, repeats: 1 });
  });

  test("a repetition after a restart has the receipt of the first time", async () => {
    const receiver = await start();
    const first = await send(receiver.url, "k1", body(0, 2));
    const restarted = await receiver.restart();
    expect(await send(restarted.url, "k1", body(0, 2))).toMatchObject({ json: first.json });
    expect(await restarted.counts()).toEqual({ parts: 1, repeats: 1 });
  });

  test("a part that comes again in another coding is the repetition it is", async () => {
    const receiver = await start();
    const sendAs = (coding: "gzip" | "zstd") =>
      send(receiver.url, "k1", ENCODERS[coding](body(0, 2)), { "content-encoding": coding });
    const first = await sendAs("gzip");
    expect(await sendAs("zstd")).toMatchObject({ status: 200, json: first.json });
    expect(await texts(receiver)).toEqual([entries(0, 2)]);
  });

  test("another body under a known key is refused and changes nothing", async () => {
    const receiver = await start();
    await send(receiver.url, "k1", body(0, 2));
    for (const other of [body(0, 3), body(2, 4), body(0, 2, { sessionId: "s2" })]) {
      const answer = await send(receiver.url, "k1", other);
      expect([answer.status, answer.json.error?.code]).toEqual([422, "KEY_REUSED"]);
    }
    expect(await texts(receiver)).toEqual([entries(0, 2)]);
  });

  test("attempts at one part at the same time store it once", async () => {
    const receiver = await start();
    const text = body(0, 500);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send(receiver.url, "k1", text)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(new Set(answers.map(({ json }) => json.batchId)).size).toBe(1);
    expect(await texts(receiver)).toEqual([entries(0, 500)]);
    expect(await receiver.counts()).toEqual({ parts: 1, repeats: 7 });
  });

  test("one key for two sessions at the same time is taken for one of them", async () => {
    const receiver = await start();
    const answers = await Promise.all(
      ["a", "b"].map((sessionId) => send(receiver.url, "k1", body(0, 500, { sessionId }))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
    expect(await texts(receiver)).toEqual([entries(0, 500)]);
  });

  test("a gap or an overlap is refused, and the session goes on after it", async () => {
    const receiver = await start();
    await send(receiver.url, "k1", body(0, 2));
    for (const first of [1, 3]) {
      const answer = await send(receiver.url, `bad${first}`, body(first, 5));
      expect([answer.status, answer.json.error.code]).toEqual([409, "OUT_OF_ORDER"]);
    }
    expect((await send(receiver.url, "k2", body(2, 5))).status).toBe(200);
    expect(await texts(receiver)).toEqual([entries(0, 5)]);
  });

  test("many sessions at once keep their lines apart and in order", async () => {
    const receiver = await start();
    const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
    await Promise.all(
      ids.map(async (sessionId) => {
        for (let part = 0; part < 5; part++) {
          const text = body(part * 10, part * 10 + 10, { sessionId });
          expect((await send(receiver.url, `${sessionId}-${part}`, text)).status).toBe(200);
        }
      }),
    );
    expect(await texts(receiver)).toEqual(Array(20).fill(entries(0, 50)));
    expect(await receiver.counts()).toEqual({ parts: 100, repeats: 0 });
  });

  test("a part whose lines are all rejected is counted, and the next one follows it", async () => {
    const receiver = await start();
    const bad = await send(receiver.url, "k1", body(0, 1000, { payload: "1" }));
    expect(bad.json).toMatchObject({ accepted: 0, rejected: 1000 });
    expect((await send(receiver.url, "k2", body(1000, 1001))).status).toBe(200);
    expect(await receiver.held()).toMatchObject([{ lines: 1001, text: entries(1000, 1001) }]);
  });
});
