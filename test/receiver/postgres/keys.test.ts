import { expect, onTestFinished, test } from "vitest";
import { CHECK_HEADER, INGEST_PATH } from "../../../src/protocol/wire.ts";
import { Database } from "../../../src/receiver/postgres/database.ts";
import { addKey, KeyTable, listKeys, revokeKey } from "../../../src/receiver/postgres/keys.ts";
import { query } from "../../support/postgres.ts";
import { onPostgres, postgres } from "../backends.ts";
import { type Answered, send } from "../support.ts";
import { body } from "../wire.ts";

async function database(): Promise<{ url: string; database: Database }> {
  const url = await (await postgres()).database();
  const opened = await Database.open({ url });
  onTestFinished(() => opened.close());
  return { url, database: opened };
}

function sendWith(url: string, key: string, projectId = "p"): Promise<Answered> {
  const text = body(0, 1, { sessionId: projectId }).replace(
    '"projectId":"p"',
    `"projectId":"${projectId}"`,
  );
  return send(url, `k ${projectId}`, text, { authorization: `Bearer ${key}` });
}

test("a key is good for its projects alone", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: ["p", "q"] });
  const receiver = await onPostgres(url, { key: undefined });
  expect((await sendWith(receiver.url, key, "p")).status).toBe(200);
  expect((await sendWith(receiver.url, key, "q")).status).toBe(200);
  const refused = await sendWith(receiver.url, key, "r");
  expect([refused.status, refused.json.error.code]).toEqual([403, "PROJECT_NOT_ALLOWED"]);
  expect(await receiver.held()).toHaveLength(2);
});

test("a check tells whether a key is good for a project", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: ["p"] });
  const receiver = await onPostgres(url, { key: undefined });
  const checked = async (projectId: string): Promise<number> => {
    const headers = { authorization: `Bearer ${key}`, [CHECK_HEADER]: "1" };
    const path = `${receiver.url}${INGEST_PATH}?projectId=${projectId}`;
    return (await fetch(path, { method: "POST", headers })).status;
  };
  expect(await Promise.all(["p", "q"].map(checked))).toEqual([200, 403]);
});

test("a large part for another project is refused while it arrives, and leaves nothing", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: ["q"] });
  const receiver = await onPostgres(url, { key: undefined });
  const text = body(0, 2000, { payload: `{"text":"${"x".repeat(3000)}"}` });
  const answer = await send(receiver.url, "k1", text, { authorization: `Bearer ${key}` });
  expect(answer.status).toBe(403);
  expect(await receiver.held()).toEqual([]);
});

test("a key that is revoked is refused within seconds, without a restart", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: null });
  const other = await addKey(db, { name: "servers", projects: null });
  const receiver = await onPostgres(url, { key: undefined });
  expect((await sendWith(receiver.url, key)).status).toBe(200);
  const [first] = await listKeys(db);
  expect(await revokeKey(db, first?.id ?? "")).toBe(true);
  await expect
    .poll(async () => (await sendWith(receiver.url, key)).status, { timeout: 5000 })
    .toBe(401);
  expect((await sendWith(receiver.url, other)).status).toBe(200);
});

test("a key that is made is taken within seconds, without a restart", async () => {
  const { url, database: db } = await database();
  const receiver = await onPostgres(url, { key: undefined });
  await sendWith(receiver.url, await addKey(db, { name: "first", projects: null }));
  const key = await addKey(db, { name: "second", projects: null });
  await expect
    .poll(async () => (await sendWith(receiver.url, key)).status, { timeout: 5000 })
    .toBe(200);
});

test("what only resembles a key is refused", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: null });
  const receiver = await onPostgres(url, { key: undefined });
  const wrong = ["", "x", key.slice(0, -1), `${key}x`, key.toUpperCase(), key.replace(/.$/, "=")];
  const unknown = key.replace(/^ifx_[0-9a-f]{12}/, "ifx_000000000000");
  for (const candidate of [...wrong, unknown]) {
    expect((await sendWith(receiver.url, candidate)).status, candidate).toBe(401);
  }
});

test("the table holds no key, only what cannot be turned back into one", async () => {
  const { url, database: db } = await database();
  const key = await addKey(db, { name: "laptops", projects: ["p"] });
  const secret = key.slice("ifx_".length + 12 + 1);
  const [row] = await query(url, "SELECT api_key::text AS row FROM influxion.api_key");
  expect(row?.row).not.toContain(secret);
  expect(JSON.stringify(await listKeys(db))).not.toContain(secret);
});

test("a key that does not exist cannot be revoked", async () => {
  const { database: db } = await database();
  expect(await revokeKey(db, "000000000000")).toBe(false);
});

test("candidates of no form of a key cost no query", async () => {
  const { database: db } = await database();
  const table = new KeyTable(db);
  await db.use(async () => {
    // The pool would wait for more than one connection here if it were asked.
    const grants = await Promise.all(Array.from({ length: 50 }, () => table.grant("not-a-key")));
    expect(grants.every((grant) => grant === undefined)).toBe(true);
  });
  expect(db.connections.total).toBe(1);
});
