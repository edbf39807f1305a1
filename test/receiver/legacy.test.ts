import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { deleteFrom, receiverIn, send, tempDir } from "./support.ts";
import { body } from "./wire.ts";

/** A folder as an older version left it, which did not record whose a session is. */
async function olderFolder(): Promise<string> {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  for (const sessionId of ["s1", "s2"]) {
    await send(receiver.url, `old ${sessionId}`, body(0, 2, { sessionId }));
  }
  await receiver.close();
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec("UPDATE sessions SET owner = NULL");
  db.close();
  return dir;
}

test("what an older version received is continued, and belongs to whoever does so", async () => {
  const receiver = await receiverIn(await olderFolder());
  expect((await send(receiver.url, "old s1", body(0, 2))).status).toBe(200);
  expect((await send(receiver.url, "k1", body(2, 3))).status).toBe(200);
  const of = { deploymentId: "e" };
  expect((await send(receiver.url, "k2", body(3, 4, of))).status).toBe(409);
  expect((await send(receiver.url, "k3", body(0, 1, of))).status).toBe(200);
  expect(receiver.sessions().map(({ sessionId, lines }) => [sessionId, lines])).toEqual([
    ["s1", 3],
    ["s1", 1],
    ["s2", 2],
  ]);
});

test("P93: what an older version received is deleted by whoever asks for it first", async () => {
  const receiver = await receiverIn(await olderFolder());
  expect((await send(receiver.url, "k1", body(2, 3))).status).toBe(200);
  const other = { projectId: "p", deploymentId: "e", scope: "deployment", through: 9 };
  expect((await deleteFrom(receiver.url, other)).json).toEqual({ deleted: 1, left: 0 });
  expect(receiver.sessions()).toMatchObject([{ sessionId: "s1", lines: 3 }]);
});
