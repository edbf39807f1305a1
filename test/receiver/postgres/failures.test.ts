import { expect, test } from "vitest";
import { PostgresServer, query } from "../../support/postgres.ts";
import { startRelay } from "../../support/relay.ts";
import { onPostgres, postgres } from "../backends.ts";
import { send } from "../support.ts";
import { body, entries } from "../wire.ts";

const LARGE = { payload: `{"text":"${"x".repeat(3000)}"}` };

/** `ReadyForQuery`, and `ErrorResponse`: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const READY = Buffer.from("Z\0\0\0\x05I", "latin1");
const FIELDS =
  "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0";
const GOING_DOWN = Buffer.from(
  `E\0\0\0${String.fromCharCode(4 + FIELDS.length)}${FIELDS}`,
  "latin1",
);

test("while the database is down a part is answered with 503 and Retry-After, and taken afterwards", async () => {
  await using server = await PostgresServer.start();
  const receiver = await onPostgres(await server.database());
  await send(receiver.url, "k1", body(0, 2));
  await server.crash();
  for (const text of [body(2, 4), body(2, 2000, LARGE)]) {
    const answer = await send(receiver.url, "k2", text);
    expect([answer.status, answer.json.error.code]).toEqual([503, "NOT_STORED"]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  }
  expect((await fetch(`${receiver.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${receiver.url}/healthz`)).status).toBe(200);
  await server.start();
  expect((await send(receiver.url, "k2", body(2, 4))).status).toBe(200);
  expect((await fetch(`${receiver.url}/readyz`)).status).toBe(200);
  expect(await receiver.held()).toMatchObject([{ text: entries(0, 4) }]);
  await receiver.close();
}, 60_000);

test("a database that ends all connections within a part makes the client try again, once stored", async () => {
  const server = await postgres();
  const url = await server.database();
  const receiver = await onPostgres(url);
  const text = body(0, 3000, LARGE);
  const sent = send(receiver.url, "k1", text);
  await expect
    .poll(() =>
      query(url, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'"),
    )
    .not.toEqual([]);
  await query(
    url,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'influxion-receive'",
  );
  const answer = await sent;
  // It may have been done already.
  expect([200, 503]).toContain(answer.status);
  expect((await send(receiver.url, "k1", text)).json).toMatchObject({ accepted: 3000 });
  expect(await receiver.held()).toMatchObject([{ parts: 1, lines: 3000 }]);
}, 60_000);

test("a database that ends a connection the moment it is ready makes the client try again", async () => {
  const server = await postgres();
  const url = new URL(await server.database());
  const { port } = server;
  await using relay = await startRelay(() => port);
  url.port = String(relay.port);
  const receiver = await onPostgres(url.href);
  relay.answer = (chunk) =>
    chunk.subarray(-READY.length).equals(READY) ? Buffer.concat([chunk, GOING_DOWN]) : chunk;
  // The next part needs a connection of its own.
  relay.cut();
  const answer = await send(receiver.url, "k1", body(0, 2));
  expect([answer.status, answer.json.error.code]).toEqual([503, "NOT_STORED"]);
  relay.answer = (chunk) => chunk;
  expect((await send(receiver.url, "k1", body(0, 2))).status).toBe(200);
  await receiver.close();
}, 60_000);

test("when all connections are in use a part is answered with 503 and Retry-After", async () => {
  const server = await postgres();
  const url = await server.database();
  const receiver = await onPostgres(url, { pool: 1, connectMs: 200 });
  await send(receiver.url, "k1", body(0, 1));
  // Holds the session's row, and with it the one connection.
  const lock = query(
    url,
    "BEGIN; SELECT FROM influxion.head FOR UPDATE; SELECT pg_sleep(1.5); COMMIT",
  );
  await expect
    .poll(() => query(url, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    .not.toEqual([]);
  const waits = send(receiver.url, "k2", body(1, 2));
  await expect
    .poll(() => query(url, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
    .not.toEqual([]);
  const answer = await send(receiver.url, "k3", body(0, 1, { sessionId: "s2" }));
  expect([answer.status, answer.json.error.code]).toEqual([503, "OVERLOADED"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  // It is busy, not broken.
  expect((await fetch(`${receiver.url}/readyz`)).status).toBe(200);
  await lock;
  expect((await waits).status).toBe(200);
}, 60_000);

test("two receivers on one database judge alike", async () => {
  const server = await postgres();
  const url = await server.database();
  const [one, other] = [await onPostgres(url), await onPostgres(url)];
  const first = await send(one.url, "k1", body(0, 2));
  expect((await send(other.url, "k1", body(0, 2))).json).toEqual(first.json);
  expect((await send(other.url, "k2", body(2, 3))).status).toBe(200);
  expect((await send(one.url, "k3", body(2, 3))).status).toBe(409);
  const text = body(3, 500);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => send(n % 2 === 0 ? one.url : other.url, "k4", text)),
  );
  expect(new Set(answers.map(({ json }) => json.batchId)).size).toBe(1);
  expect(await one.held()).toMatchObject([{ text: entries(0, 500) }]);
});

test("a commit that the standby did not confirm is not confirmed, and its repetition is once it can be", async () => {
  await using server = await PostgresServer.start();
  const url = await server.database();
  const receiver = await onPostgres(url);
  await query(url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await query(url, "SELECT pg_reload_conf()");
  const sent = send(receiver.url, "k1", body(0, 2));
  const waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  await expect.poll(() => query(url, `SELECT pid ${waiting}`)).toHaveLength(1);
  await query(url, `SELECT pg_cancel_backend(pid) ${waiting}`);
  const answer = await sent;
  expect([answer.status, answer.json.error.code]).toEqual([503, "NOT_STORED"]);
  // It is there, but as long as the standby has not confirmed it, nobody is told.
  const again = send(receiver.url, "k1", body(0, 2));
  await expect.poll(() => query(url, `SELECT pid ${waiting}`)).toHaveLength(1);
  await query(url, "ALTER SYSTEM RESET synchronous_standby_names");
  await query(url, "SELECT pg_reload_conf()");
  expect((await again).json).toMatchObject({ accepted: 2 });
  expect(await receiver.counts()).toEqual({ parts: 1, repeats: 1 });
  await receiver.close();
}, 60_000);

test("a database that stops answering is given up, and its connections with it", async () => {
  const server = await postgres();
  const url = await server.database();
  const receiver = await onPostgres(url, { statementMs: 500 });
  await send(receiver.url, "k1", body(0, 1));
  const lock = query(
    url,
    "BEGIN; SELECT FROM influxion.head FOR UPDATE; SELECT pg_sleep(2); COMMIT",
  );
  await expect
    .poll(() => query(url, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    .not.toEqual([]);
  const answer = await send(receiver.url, "k2", body(1, 2));
  expect([answer.status, answer.json.error.code]).toEqual([503, "NOT_STORED"]);
  await lock;
  expect((await send(receiver.url, "k2", body(1, 2))).status).toBe(200);
}, 60_000);

test("on a standby a part is answered with 503 until it is promoted, with all that was confirmed", async () => {
  await using server = await PostgresServer.start();
  const url = await server.database();
  const receiver = await onPostgres(url);
  await using standby = await server.startStandby();
  const first = await send(receiver.url, "k1", body(0, 2));
  const other = await onPostgres(standby.url(new URL(url).pathname.slice(1)));
  expect((await send(other.url, "k2", body(2, 3))).status).toBe(503);
  expect((await fetch(`${other.url}/readyz`)).status).toBe(503);
  await receiver.close();
  await server.kill();
  await standby.promote();
  expect((await fetch(`${other.url}/readyz`)).status).toBe(200);
  expect((await send(other.url, "k1", body(0, 2))).json).toEqual(first.json);
  expect((await send(other.url, "k2", body(2, 3))).status).toBe(200);
  expect(await other.held()).toMatchObject([{ text: entries(0, 3) }]);
  await other.close();
}, 60_000);
