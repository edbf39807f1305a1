import { basename } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { fileOf, receiverIn, send, tempDir } from "./support.ts";
import { body, entries, line } from "./wire.ts";

const ENCODERS = { gzip: gzipSync, zstd: zstdCompressSync };

test("a repeated key with an equal body is answered from the record and stores nothing twice", async () => {
  const receiver = await receiverIn(await tempDir());
  const text = `${body(0, 2)}garbage\n`;
  const first = await send(receiver.url, "k1", text);
  await send(receiver.url, "k2", body(3, 4));
  const again = await send(receiver.url, "k1", text);
  expect(again).toMatchObject({ status: 200, json: first.json });
  expect(await fileOf(receiver)).toBe(entries(0, 2) + entries(3, 4));
  expect(receiver.stats()).toMatchObject({ parts: 2, repeats: 1, accepted: 3, rejected: 1 });
});

test.for([
  ["gzip", "zstd"],
  ["zstd", "gzip"],
] as const)("a part that came as %s and comes again as %s is a repetition", async (codings) => {
  const receiver = await receiverIn(await tempDir());
  const sendAs = (coding: "gzip" | "zstd") =>
    send(receiver.url, "k1", ENCODERS[coding](body(0, 2)), { "content-encoding": coding });
  const first = await sendAs(codings[0]);
  expect(await sendAs(codings[1])).toMatchObject({ status: 200, json: first.json });
  expect(await fileOf(receiver)).toBe(entries(0, 2));
  expect(receiver.stats()).toMatchObject({ parts: 1, repeats: 1 });
});

test("another body under a repeated key is refused, whatever its coding", async () => {
  const receiver = await receiverIn(await tempDir());
  await send(receiver.url, "k1", body(0, 2));
  const other = await send(receiver.url, "k1", zstdCompressSync(body(0, 3)), {
    "content-encoding": "zstd",
  });
  expect(other.json.error.code).toBe("KEY_REUSED");
});

test("a repeated key with another body is refused and counted, also after a restart", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  await send(receiver.url, "k1", body(0, 2));
  const other = await send(receiver.url, "k1", body(0, 3));
  expect(other.status).toBe(422);
  expect(other.json.error.code).toBe("KEY_REUSED");
  await receiver.close();
  const restarted = await receiverIn(dir);
  expect(await fileOf(restarted)).toBe(entries(0, 2));
  expect(restarted.stats().refusals).toEqual({ KEY_REUSED: 1 });
});

test("attempts at one part at the same time store it once", async () => {
  const receiver = await receiverIn(await tempDir());
  const text = body(0, 500);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => send(receiver.url, "k1", text)),
  );
  expect(new Set(answers.map(({ json }) => json.batchId)).size).toBe(1);
  expect(await fileOf(receiver)).toBe(entries(0, 500));
  expect(receiver.stats()).toMatchObject({ parts: 1, repeats: 7 });
});

test("a new part that starts at line 0 begins a new generation in a file of its own", async () => {
  const receiver = await receiverIn(await tempDir());
  await send(receiver.url, "k1", body(0, 2));
  await send(receiver.url, "k2", line({ payload: '{"rewritten":0}' }));
  await send(receiver.url, "k3", line({ lineIndex: 1, payload: '{"rewritten":1}' }));
  expect(await fileOf(receiver)).toBe(entries(0, 2));
  expect(await fileOf(receiver, "s1", 1)).toBe('{"rewritten":0}\n{"rewritten":1}\n');
  expect(receiver.sessions().map(({ file }) => basename(file))).toEqual([
    "s1.jsonl",
    "s1.g1.jsonl",
  ]);
});

test("a gap or an overlap is refused and counted, and the session goes on after it", async () => {
  const receiver = await receiverIn(await tempDir());
  await send(receiver.url, "k1", body(0, 2));
  for (const first of [1, 3]) {
    const answer = await send(receiver.url, `bad${first}`, body(first, 5));
    expect(answer.status).toBe(409);
    expect(answer.json.error.code).toBe("OUT_OF_ORDER");
  }
  expect((await send(receiver.url, "k2", body(2, 5))).status).toBe(200);
  expect(await fileOf(receiver)).toBe(entries(0, 5));
  expect(receiver.stats().refusals).toEqual({ OUT_OF_ORDER: 2 });
});

test("many sessions at once keep their lines apart and in order", async () => {
  const receiver = await receiverIn(await tempDir());
  const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
  await Promise.all(
    ids.map(async (sessionId) => {
      for (let part = 0; part < 5; part++) {
        const text = body(part * 10, part * 10 + 10, { sessionId });
        expect((await send(receiver.url, `${sessionId}-${part}`, text)).status).toBe(200);
      }
    }),
  );
  for (const sessionId of ids) expect(await fileOf(receiver, sessionId)).toBe(entries(0, 50));
  expect(receiver.stats()).toMatchObject({ parts: 100, accepted: 1000 });
});
