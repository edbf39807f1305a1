import { once } from "node:events";
import { mkdir, readdir, stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body, headersFor } from "./wire.ts";

test("close ends within a second although a request is still sending", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const req = request(receiver.url + INGEST_PATH, { method: "POST", headers: headersFor("k1") });
  const broken = new Promise((done) => req.on("error", done));
  req.write(gzipSync(body(0, 10)).subarray(0, 30));
  await sleep(50);
  const before = performance.now();
  await receiver.close();
  expect(performance.now() - before).toBeLessThan(1000);
  await broken;
  const again = await receiverIn(dir);
  expect(again.sessions()).toEqual([]);
});

test("a request that is done soon is still answered during close", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const req = request(receiver.url + INGEST_PATH, { method: "POST", headers: headersFor("k1") });
  const answered = once(req, "response");
  const bytes = gzipSync(body(0, 10));
  req.write(bytes.subarray(0, 30));
  await expect.poll(() => readdir(join(dir, "staging")), { interval: 1 }).toHaveLength(1);
  const closed = receiver.close();
  req.end(bytes.subarray(30));
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  expect(await json(response)).toMatchObject({ accepted: 10 });
  await closed;
});

test("close may be called twice", async () => {
  const receiver = await receiverIn(await tempDir());
  await Promise.all([receiver.close(), receiver.close()]);
});

test("everything received is there after a restart", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await send(first.url, "k1", body(0, 3));
  const held = [first.sessions(), first.stats()];
  await first.close();
  const second = await receiverIn(dir);
  expect([second.sessions(), second.stats()]).toEqual(held);
});

test("it listens on loopback unless told otherwise", async () => {
  const receiver = await receiverIn(await tempDir());
  expect(new URL(receiver.url).hostname).toBe("127.0.0.1");
});

test("a port in use is named, with what to do, and lets go of the folder", async () => {
  const { url } = await receiverIn(await tempDir());
  const port = Number(new URL(url).port);
  const dir = await tempDir();
  await expect(receiverIn(dir, { port })).rejects.toMatchObject({
    code: "RECEIVER_PORT_IN_USE",
    message: expect.stringContaining(`port ${port}`),
  });
  await receiverIn(dir);
});

test.for([-1, 65_536, 1.5, Number.NaN])("a port of %d is refused in words", async (port) => {
  await expect(receiverIn(await tempDir(), { port })).rejects.toMatchObject({
    code: "RECEIVER_CANNOT_LISTEN",
  });
});

test("an empty key is refused", async () => {
  await expect(receiverIn(await tempDir(), { key: "" })).rejects.toMatchObject({
    code: "RECEIVER_NO_KEY",
  });
});

test("a folder belongs to one receiver at a time", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await expect(receiverIn(dir)).rejects.toMatchObject({ code: "RECEIVER_DIR_IN_USE" });
  await first.close();
  await receiverIn(dir);
});

test("an index of a newer version is not touched", async () => {
  const dir = await tempDir();
  await mkdir(dir, { recursive: true });
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec("PRAGMA user_version = 99");
  db.close();
  await expect(receiverIn(dir)).rejects.toMatchObject({ code: "RECEIVER_INDEX_TOO_NEW" });
});

test.skipIf(process.platform === "win32")("only the owner can read what was received", async () => {
  const dir = join(await tempDir(), "received");
  const receiver = await receiverIn(dir);
  await send(receiver.url, "k1", body(0, 1));
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  expect((await stat(join(dir, "sessions/main/s1.jsonl"))).mode & 0o777).toBe(0o600);
});
