import { expect, test } from "vitest";
import { addKey } from "../../../src/receiver/postgres/keys.ts";
import { PostgresStore } from "../../../src/receiver/postgres/store.ts";
import { query } from "../../support/postgres.ts";
import { onPostgres, postgres } from "../backends.ts";
import { deleteFrom, send } from "../support.ts";
import { body } from "../wire.ts";

const DEPLOYMENT = { deploymentId: "d", projectId: "p", scope: "deployment", through: 9 };

test("P94: a deletion that fails in the middle is finished by asking again", async () => {
  const url = await (await postgres()).database();
  const receiver = await onPostgres(url, { statementMs: 1000 });
  // More than one transaction takes.
  const ids = Array.from({ length: 120 }, (_, n) => `s${n}`);
  await Promise.all(
    ids.map((sessionId) => send(receiver.url, sessionId, body(0, 2, { sessionId }))),
  );
  const lock = query(
    url,
    "BEGIN; SELECT FROM influxion.head ORDER BY id DESC LIMIT 1 FOR UPDATE; SELECT pg_sleep(4); COMMIT",
  );
  const sleeping = () =>
    query(url, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
  await expect.poll(sleeping).not.toEqual([]);
  const failed = await deleteFrom(receiver.url, DEPLOYMENT);
  expect([failed.status, failed.json.error.code]).toEqual([503, "NOT_STORED"]);
  expect(failed.json.error.message).toMatch(/^the deletion could not be finished \(.+\)$/);
  const left = (await receiver.held()).length;
  expect(left).toBe(20);
  // What is left is refused already.
  expect((await send(receiver.url, "new", body(0, 1, { sessionId: "new" }))).status).toBe(200);
  await lock;
  expect((await deleteFrom(receiver.url, { ...DEPLOYMENT, through: 10 })).json).toEqual({
    deleted: left + 1,
    left: 0,
  });
  expect(await receiver.held()).toEqual([]);
}, 60_000);

test("P95: a key deletes nothing of a project that it is not for", async () => {
  const url = await (await postgres()).database();
  const receiver = await onPostgres(url);
  await send(receiver.url, "k1", body(0, 2));
  const store = await PostgresStore.open({ url });
  const key = await addKey(store.database, { name: "other", projects: ["q"] });
  await store.close();
  const asked = (projectId: string) =>
    deleteFrom(receiver.url, { ...DEPLOYMENT, projectId }, `Bearer ${key}`);
  const refused = await asked("p");
  expect([refused.status, refused.json.error.code]).toEqual([403, "PROJECT_NOT_ALLOWED"]);
  expect(await receiver.held()).toHaveLength(1);
  expect((await asked("q")).json).toEqual({ deleted: 0, left: 0 });
  const generation = { "influxion-generation": "1" };
  expect((await send(receiver.url, "k2", body(0, 2), generation)).status).toBe(200);
});

test("P93: a deletion by one receiver is refused by another", async () => {
  const url = await (await postgres()).database();
  const [one, other] = [await onPostgres(url), await onPostgres(url)];
  await deleteFrom(one.url, DEPLOYMENT);
  const generation = { "influxion-generation": "9" };
  expect((await send(other.url, "k1", body(0, 2), generation)).status).toBe(422);
});

test("the tombstones of a part's session are found by an index, however many there are", async () => {
  const url = await (await postgres()).database();
  await query(
    url,
    `INSERT INTO influxion.tombstone (project, deployment, agent, session, through)
     SELECT 'p', 'd', 'main', 's' || n, 5 FROM generate_series(1, 20000) n;
     ANALYZE influxion.tombstone`,
  );
  const receiver = await onPostgres(url);
  const generation = { "influxion-generation": "5" };
  for (let n = 0; n < 3; n++) {
    expect((await send(receiver.url, `k${n}`, body(0, 1), generation)).status).toBe(422);
  }
  const scans = async () => {
    const [row] = await query(
      url,
      "SELECT idx_scan::int FROM pg_stat_user_indexes WHERE indexrelname = 'tombstone_by_scope'",
    );
    return Number(row?.idx_scan);
  };
  // A connection reports its counts when it ends.
  await receiver.close();
  await expect.poll(scans).toBeGreaterThan(0);
});
