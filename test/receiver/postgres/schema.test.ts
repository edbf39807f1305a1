import { afterAll, beforeAll, expect, test } from "vitest";
import { MIGRATIONS } from "../../../src/receiver/postgres/migrations.ts";
import { PostgresStore } from "../../../src/receiver/postgres/store.ts";
import { PostgresServer, query } from "../../support/postgres.ts";

let server: PostgresServer;

beforeAll(async () => {
  server = await PostgresServer.start();
}, 30_000);
afterAll(() => server[Symbol.asyncDispose]());

/** Opens a store and closes it again. */
async function open(url: string, migrate = false): Promise<void> {
  const store = await PostgresStore.open({ url, migrate, connectMs: 10_000 });
  await store.close();
}

test("a database without tables is refused with what to do, and gets them with --migrate", async () => {
  const url = await server.emptyDatabase();
  await expect(open(url)).rejects.toMatchObject({
    code: "RECEIVER_STORE_TOO_OLD",
    message: `the database has no tables of a receiver yet, and version ${MIGRATIONS.length} is needed; start the receiver with --migrate once`,
  });
  await open(url, true);
  await open(url);
});

test("migrations are numbered, and made once also when several receivers start at once", async () => {
  const url = await server.emptyDatabase();
  await Promise.all([open(url, true), open(url, true), open(url, true), open(url, true)]);
  const rows = await query(url, "SELECT version FROM influxion.migration ORDER BY version");
  expect(rows.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, n) => n + 1));
});

test("a migration that fails leaves nothing behind", async () => {
  const url = await server.emptyDatabase();
  await query(url, "CREATE SCHEMA influxion; CREATE TABLE influxion.part (colour text)");
  await expect(open(url, true)).rejects.toMatchObject({ code: "RECEIVER_STORE_UNUSABLE" });
  const rows = await query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'influxion'");
  expect(rows).toEqual([{ tablename: "part" }]);
});

test("a database of a newer version is refused, also with --migrate, and stays as it is", async () => {
  const url = await server.database();
  await query(url, "INSERT INTO influxion.migration (version) VALUES (99)");
  for (const migrate of [false, true]) {
    await expect(open(url, migrate)).rejects.toMatchObject({ code: "RECEIVER_STORE_TOO_NEW" });
  }
  expect(await query(url, "SELECT max(version) AS newest FROM influxion.migration")).toEqual([
    { newest: 99 },
  ]);
});

test("a database in another encoding is refused", async () => {
  const url = await server.emptyDatabase("ENCODING 'SQL_ASCII' TEMPLATE template0");
  await expect(open(url, true)).rejects.toMatchObject({
    code: "RECEIVER_STORE_UNUSABLE",
    message: expect.stringContaining("SQL_ASCII"),
  });
});

test("a server that cannot be reached is named without the password", async () => {
  const url = "postgres://somebody:secret-word@127.0.0.1:1/nowhere";
  const failed = await open(url).catch((error) => error);
  expect(failed).toMatchObject({ code: "RECEIVER_STORE_UNUSABLE" });
  expect(failed.message).toContain("ECONNREFUSED");
  expect(failed.message).not.toContain("secret-word");
});
