import { once } from "node:events";
import { appendFile, mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { deleteFrom, fileOf, receiverIn, receiverProcess, send, tempDir } from "./support.ts";
import { body, entries, headersFor } from "./wire.ts";

const DEPLOYMENT = { deploymentId: "d", projectId: "p", scope: "deployment" };

test("a client that goes away within a body leaves nothing behind", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const req = request(receiver.url + INGEST_PATH, { method: "POST", headers: headersFor("k1") });
  req.on("error", () => undefined);
  // All of the gzip stream, but not the end of the chunked body.
  req.write(gzipSync(body(0, 1000)));
  await sleep(100);
  req.destroy();
  await expect.poll(() => receiver.stats().refusals).toEqual({ CUT_SHORT: 1 });
  expect(receiver.sessions()).toEqual([]);
  await expect.poll(() => readdir(join(dir, "staging"))).toEqual([]);
  expect((await send(receiver.url, "k1", body(0, 2))).json.accepted).toBe(2);
});

test("a connection that sends no HTTP does no harm", async () => {
  const receiver = await receiverIn(await tempDir());
  const socket = connect(Number(new URL(receiver.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  socket.end("nonsense\r\n\r\n");
  await once(socket, "close");
  expect((await send(receiver.url, "k1", body(0, 2))).status).toBe(200);
});

test("what a crash left behind the committed length is cut off at the next start", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await send(first.url, "k1", body(0, 2));
  await first.close();

  await appendFile(join(dir, "sessions/main/s1.jsonl"), '{"never":"confirmed"}\n{"to');
  await writeFile(join(dir, "sessions/main/s1.g1.jsonl"), '{"never":"confirmed"}\n');
  await writeFile(join(dir, "staging/3f2c9e1a-0b4d-4c7e-9a55-1d2e3f4a5b6c.part"), "left over");
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec(`INSERT INTO sessions (stream, generation, wire_generation, agent_id, session_id, file)
           VALUES ('main/s1', 1, 1, 'main', 's1', 'sessions/main/s1.g1.jsonl')`);
  db.close();

  const second = await receiverIn(dir);
  expect(await fileOf(second)).toBe(entries(0, 2));
  expect(await readdir(join(dir, "sessions/main"))).toEqual(["s1.jsonl"]);
  expect(await readdir(join(dir, "staging"))).toEqual([]);
  await send(second.url, "k2", body(2, 3));
  expect(await fileOf(second)).toBe(entries(0, 3));
});

test("files the receiver did not make are left alone", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await send(first.url, "k1", body(0, 1));
  await first.close();
  await writeFile(join(dir, "sessions/main/notes.jsonl"), "mine");
  await writeFile(join(dir, "staging/notes.txt"), "mine");
  await receiverIn(dir);
  expect(await readFile(join(dir, "sessions/main/notes.jsonl"), "utf8")).toBe("mine");
  expect(await readdir(join(dir, "staging"))).toEqual(["notes.txt"]);
});

test("a file that lost what was committed is reported, not continued", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await send(first.url, "k1", body(0, 2));
  await rm(join(dir, "sessions/main/s1.jsonl"));
  expect((await send(first.url, "k2", body(2, 3))).status).toBe(503);
  await first.close();
  await expect(receiverIn(dir)).rejects.toMatchObject({
    code: "RECEIVER_DAMAGED",
    message: expect.stringMatching(/^\S+s1\.jsonl has 0 bytes, but \d+ were received; put it back/),
  });
});

test("kill -9 at any instant neither loses nor doubles a confirmed line", {
  timeout: 120_000,
}, async () => {
  const dir = await tempDir();
  const sessions = ["a", "b", "c"];
  const parts = 30;
  const perPart = 200;

  let current = await receiverProcess(dir);

  async function upload(sessionId: string): Promise<void> {
    for (let part = 0; part < parts; ) {
      const text = body(part * perPart, (part + 1) * perPart, { sessionId });
      const answer = await send(current.url, `${sessionId}-${part}`, text).catch(() => undefined);
      if (answer === undefined) {
        await sleep(20);
        continue;
      }
      expect(answer.json).toMatchObject({ accepted: perPart });
      part++;
    }
  }

  let done = false;
  const uploads = Promise.all(sessions.map(upload)).finally(() => {
    done = true;
  });
  for (let kills = 0; kills < 8 && !done; kills++) {
    await sleep(10 + Math.random() * 60);
    const exited = once(current.child, "exit");
    current.child.kill("SIGKILL");
    await exited;
    current = await receiverProcess(dir);
  }
  await uploads;
  current.child.kill("SIGKILL");
  await once(current.child, "exit");

  const receiver = await receiverIn(dir);
  for (const sessionId of sessions) {
    expect(await fileOf(receiver, sessionId)).toBe(entries(0, parts * perPart));
  }
  expect(receiver.stats()).toMatchObject({ parts: 90, accepted: 90 * perPart });
  expect(receiver.stats().refusals).not.toHaveProperty("OUT_OF_ORDER");
  expect(receiver.stats().refusals).not.toHaveProperty("KEY_REUSED");
  expect(await readdir(join(dir, "staging"))).toEqual([]);
});

test("P94: a deletion that ended before its files were removed is finished by the next start", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  for (const sessionId of ["s1", "s2"]) await send(first.url, sessionId, body(0, 2, { sessionId }));
  await first.close();
  // What the first step of a deletion leaves: docs/wire.md, "Deletions".
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec(`DELETE FROM parts WHERE stream = 'main/s1';
           UPDATE sessions SET parts = 0, lines = 0, accepted = 0, bytes = 0 WHERE stream = 'main/s1'`);
  db.close();

  const second = await receiverIn(dir);
  expect(await readdir(join(dir, "sessions/main"))).toEqual(["s2.jsonl"]);
  expect(await fileOf(second, "s2")).toBe(entries(0, 2));
});

test("P94: a file that cannot be removed now is, when the deletion is asked for again", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  await send(receiver.url, "k1", body(0, 2));
  const file = join(dir, "sessions/main/s1.jsonl");
  await rm(file);
  // `rm` refuses a folder.
  await mkdir(file);
  const deletion = { ...DEPLOYMENT, through: 9 };
  const failed = await deleteFrom(receiver.url, deletion);
  expect([failed.status, failed.json.error.code]).toEqual([503, "NOT_STORED"]);
  expect(Number(failed.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(receiver.sessions()).toEqual([]);
  await rmdir(file);
  await writeFile(file, entries(0, 2));
  expect((await deleteFrom(receiver.url, deletion)).json).toEqual({ deleted: 1, left: 0 });
  expect(await readdir(join(dir, "sessions"))).toEqual([]);
});

test("P94: kill -9 at any instant of a deletion leaves all of a session or nothing, and it is finished by asking again", {
  timeout: 120_000,
}, async () => {
  const dir = await tempDir();
  const ids = Array.from({ length: 40 }, (_, n) => `s${n}`);
  let current = await receiverProcess(dir);
  for (let round = 1; round <= 6; round++) {
    const generation = { "influxion-generation": String(round) };
    for (const agentId of ["doomed", "kept"]) {
      for (const sessionId of agentId === "kept" && round > 1 ? [] : ids) {
        const text = body(0, 3, { agentId, sessionId });
        const answer = await send(
          current.url,
          `${agentId} ${sessionId} ${round}`,
          text,
          generation,
        );
        expect(answer.status).toBe(200);
      }
    }
    const deletion = { ...DEPLOYMENT, scope: "agent", agentId: "doomed", through: round };
    const exited = once(current.child, "exit");
    const asked = deleteFrom(current.url, deletion).catch(() => undefined);
    await sleep(Math.random() * 25);
    current.child.kill("SIGKILL");
    await Promise.all([asked, exited]);
    current = await receiverProcess(dir);
    const { json } = await deleteFrom(current.url, deletion);
    expect([0, ids.length]).toContain(json.deleted);
    expect(json.left).toBe(0);
    expect(await readdir(join(dir, "sessions"))).toEqual(["kept"]);
  }
  current.child.kill("SIGKILL");
  await once(current.child, "exit");
  const receiver = await receiverIn(dir);
  expect(receiver.sessions()).toHaveLength(ids.length);
  for (const { file } of receiver.sessions()) {
    expect(await readFile(file, "utf8")).toBe(entries(0, 3));
  }
});
