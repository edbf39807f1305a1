import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { fileOf, receiverIn, send, tempDir } from "./support.ts";
import { body, entries, line } from "./wire.ts";

test("a part is stored in the session's file and answered with a receipt", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const answer = await send(receiver.url, "k1", body(0, 3));
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual({ accepted: 3, rejected: 0, batchId: expect.any(String) });
  expect(await readFile(join(dir, "sessions/main/s1.jsonl"), "utf8")).toBe(entries(0, 3));
  expect(receiver.sessions()).toEqual([
    {
      agentId: "main",
      sessionId: "s1",
      generation: 0,
      file: join(dir, "sessions/main/s1.jsonl"),
      parts: 1,
      lines: 3,
      accepted: 3,
      rejected: 0,
      bytes: entries(0, 3).length,
    },
  ]);
  expect(receiver.stats()).toMatchObject({
    parts: 1,
    accepted: 3,
    decodedBytes: body(0, 3).length,
  });
});

test("the next part continues the file", async () => {
  const receiver = await receiverIn(await tempDir());
  await send(receiver.url, "k1", body(0, 3));
  expect((await send(receiver.url, "k2", body(3, 5))).json.accepted).toBe(2);
  expect(await fileOf(receiver)).toBe(entries(0, 5));
});

test("payloads are kept byte for byte", async () => {
  const receiver = await receiverIn(await tempDir());
  const payloads = [
    '{ "b" : 1.0e2 ,\t"a":"\\u00e9é\\/😀" }',
    '{"payload":{"payload":{}},"text":"\\"payload\\":{}}"}',
    '{"a":1,"a":2}',
    '{"big":12345678901234567890}\r',
    `{"long":"${"x".repeat(200_000)}"}`,
  ];
  const text = payloads.map((payload, lineIndex) => line({ lineIndex, payload })).join("\n");
  expect((await send(receiver.url, "k1", text)).json).toMatchObject({ accepted: 5, rejected: 0 });
  expect(await fileOf(receiver)).toBe(`${payloads.join("\n")}\n`);
});

test("a payload that is not last is kept, spelled anew", async () => {
  const receiver = await receiverIn(await tempDir());
  const { payload: _, ...head } = JSON.parse(line());
  const text = `{"payload": {"n": 0}, ${JSON.stringify(head).slice(1)}`;
  expect((await send(receiver.url, "k1", text)).json.accepted).toBe(1);
  expect(await fileOf(receiver)).toBe('{"n":0}\n');
});

test("wrong lines are rejected one by one, with a reason that quotes nothing", async () => {
  const receiver = await receiverIn(await tempDir());
  const secret = "my private words";
  const lines = [
    `not json ${secret}`,
    line({ lineIndex: 1 }),
    line({ lineIndex: 2, payload: `"${secret}"` }),
    line({ lineIndex: 3 }).replace('"deploymentId":"d"', '"deploymentId":""'),
    line({ lineIndex: 4 }).replace("{", '{"extra":1,'),
    line({ lineIndex: 5 }),
  ];
  const answer = await send(receiver.url, "k1", lines.join("\n"));
  expect(answer.json).toMatchObject({ accepted: 2, rejected: 4 });
  expect(answer.json.errors).toEqual([
    { lineIndex: 0, reason: "the line is not a JSON object" },
    { lineIndex: 2, reason: "payload: expected Object" },
    { lineIndex: 3, reason: "deploymentId: expected a value" },
    { lineIndex: 4, reason: "extra: expected no such field" },
  ]);
  expect(JSON.stringify(answer.json)).not.toContain("private");
  expect((await send(receiver.url, "k2", body(6, 7))).status).toBe(200);
  expect(receiver.sessions()[0]).toMatchObject({ lines: 7, accepted: 3, rejected: 4 });
});

test("the errors of a receipt are bounded, its counts are not", async () => {
  const receiver = await receiverIn(await tempDir());
  const bad = Array.from({ length: 1000 }, (_, lineIndex) => line({ lineIndex, payload: "1" }));
  const { json } = await send(receiver.url, "k1", bad.join("\n"));
  expect(json).toMatchObject({ accepted: 0, rejected: 1000 });
  expect(json.errors).toHaveLength(100);
  expect(receiver.sessions()[0]).toMatchObject({ lines: 1000, bytes: 0 });
});

test("a body of zstd or of plain text is taken too", async () => {
  const receiver = await receiverIn(await tempDir());
  const zstd = await send(receiver.url, "k1", zstdCompressSync(body(0, 2)), {
    "content-encoding": "zstd",
  });
  const plain = await send(receiver.url, "k2", Buffer.from(body(2, 4)), {
    "content-encoding": undefined,
  });
  expect([zstd.status, plain.status]).toEqual([200, 200]);
  expect(await fileOf(receiver)).toBe(entries(0, 4));
});

test("the log tells each part in one line without control characters", async () => {
  const lines: string[] = [];
  const receiver = await receiverIn(await tempDir(), { log: (text) => lines.push(text) });
  const sessionId = "a\u001b[31m\u202eb\nc";
  await send(receiver.url, "k1", body(0, 12, { sessionId }));
  await send(receiver.url, "k1", body(0, 12, { sessionId }));
  await send(receiver.url, "k2", body(0, 1, { sessionId, payload: '{"again":1}' }));
  expect(lines).toEqual([
    expect.stringMatching(
      /^agent main session a\[31mbc: 12 lines \(0-11\), \d+ B on the wire, 3\.\d kB of JSON$/,
    ),
    "agent main session a[31mbc: 12 lines (0-11) once more, answered from the record",
    expect.stringMatching(/: 1 line \(0\), .*, starts again \(generation 1\)$/),
  ]);
});
