import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { request } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body, headersFor, KEY, line } from "./wire.ts";

const refusals: [name: string, status: number, headers: Record<string, string | undefined>][] = [
  ["without a key", 401, { authorization: undefined }],
  ["with a wrong key", 401, { authorization: "Bearer no" }],
  ["with the key in another scheme", 401, { authorization: `Basic ${KEY}` }],
  ["without an idempotency key", 400, { "idempotency-key": undefined }],
  ["of another content type", 415, { "content-type": "application/json" }],
  ["in an unknown encoding", 415, { "content-encoding": "br" }],
  ["that is not in the encoding it names", 400, { "content-encoding": "zstd" }],
];

test.for(refusals)("a request %s is refused with %i", async ([, status, headers]) => {
  const receiver = await receiverIn(await tempDir());
  const answer = await send(receiver.url, "k1", body(0, 1), headers);
  expect(answer.status).toBe(status);
  expect(answer.json).toEqual({
    error: { code: expect.any(String), message: expect.any(String) },
  });
  const codings = headers["content-type"] === undefined ? "zstd, gzip" : null;
  expect(answer.headers.get("accept-encoding")).toBe(codings);
  expect(receiver.sessions()).toEqual([]);
  expect(receiver.stats().refusals).toEqual({ [answer.json.error.code]: 1 });
});

test("only one path and two methods exist", async () => {
  const receiver = await receiverIn(await tempDir());
  expect((await fetch(`${receiver.url}/`)).status).toBe(404);
  const get = await fetch(`${receiver.url}/v1/openclaw/ingest/sessions`);
  expect(get.status).toBe(405);
  expect(get.headers.get("allow")).toBe("POST, DELETE");
});

test("refusals are counted, and written when the receiver is closed, not before", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  await send(receiver.url, "k1", body(0, 1));
  const db = new DatabaseSync(join(dir, "index.sqlite"), { readOnly: true });
  onTestFinished(() => db.close());
  /** Changes with every write of another connection (https://sqlite.org/pragma.html#pragma_data_version). */
  const version = () => db.prepare("PRAGMA data_version").get()?.data_version;
  const before = version();
  for (let n = 0; n < 3; n++) {
    await fetch(`${receiver.url}/other`);
    await fetch(receiver.url + INGEST_PATH);
    await send(receiver.url, "k2", body(1, 2), { authorization: "Bearer no" });
    await send(receiver.url, "k1", body(0, 2));
  }
  expect(version()).toBe(before);
  const counts = { KEY_REUSED: 3, METHOD_NOT_ALLOWED: 3, NOT_FOUND: 3, UNAUTHORIZED: 3 };
  expect(receiver.stats().refusals).toEqual(counts);
  await receiver.close();
  const second = await receiverIn(dir);
  await fetch(`${second.url}/other`);
  expect(second.stats().refusals).toEqual({ ...counts, NOT_FOUND: 4 });
});

test("a refusal can be read while much is still being sent", async () => {
  const receiver = await receiverIn(await tempDir());
  let sent = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        sent += 64 * 1024;
        yield Buffer.alloc(64 * 1024);
      }
    })(),
  );
  const answer = await request(receiver.url + INGEST_PATH, {
    method: "POST",
    body: endless,
    headers: { ...headersFor("k1"), authorization: "Bearer no" },
  });
  expect(answer.statusCode).toBe(401);
  expect(await answer.body.json()).toMatchObject({ error: { code: "UNAUTHORIZED" } });
  expect(sent).toBeGreaterThan(0);
});

const bodies: [name: string, code: string, text: string][] = [
  ["empty", "EMPTY_BODY", "\n"],
  ["of nothing but garbage", "NO_SESSION", "garbage\n"],
  ["of two sessions", "MIXED_SESSIONS", `${line()}\n${line({ sessionId: "s2", lineIndex: 1 })}`],
  ["with a gap in it", "OUT_OF_ORDER", `${line()}\n${line({ lineIndex: 2 })}`],
  ["with a line twice", "OUT_OF_ORDER", `${line()}\n${line()}`],
  ["that would start before line 0", "OUT_OF_ORDER", `garbage\n${line()}`],
  ["that starts after the lines held", "OUT_OF_ORDER", body(1, 3)],
];

test.for(bodies)("a body %s is refused with %s and stores nothing", async ([, code, text]) => {
  const receiver = await receiverIn(await tempDir());
  const answer = await send(receiver.url, "k1", text);
  expect(answer.json.error?.code).toBe(code);
  expect(answer.status).toBe(code === "OUT_OF_ORDER" ? 409 : 400);
  expect(receiver.sessions()).toEqual([]);
  expect((await send(receiver.url, "k1", body(0, 1))).status).toBe(200);
});

test("invalid UTF-8 is refused, not mended", async () => {
  const receiver = await receiverIn(await tempDir());
  const bytes = Buffer.from(line({ payload: '{"a":"?"}' }));
  bytes[bytes.indexOf("?")] = 0xff;
  const answer = await send(receiver.url, "k1", bytes, { "content-encoding": "identity" });
  expect(answer.json.error.code).toBe("NOT_UTF8");
});

test("neither the key nor any content is logged or answered", async () => {
  const lines: string[] = [];
  const receiver = await receiverIn(await tempDir(), { log: (text) => lines.push(text) });
  const secret = "sentinel-of-a-conversation";
  await send(receiver.url, "k1", line({ payload: `{"text":"${secret}"}` }));
  const answers = [
    await send(receiver.url, "k1", line({ payload: `{"text":"${secret} 2"}` })),
    await send(receiver.url, "k2", line({ payload: `"${secret}"` })),
    await send(receiver.url, "k3", secret),
    await send(receiver.url, "k4", body(0, 1), { authorization: `Bearer ${secret}` }),
  ];
  const said = JSON.stringify([lines, answers.map((answer) => answer.json)]);
  expect(lines).toHaveLength(5);
  expect(said).not.toContain(secret);
  expect(said).not.toContain(KEY);
});
