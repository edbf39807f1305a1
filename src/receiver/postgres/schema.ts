import type { ClientBase } from "pg";
import { InfluxionError } from "../../shared/problem.ts";
import { MIGRATIONS } from "./migrations.ts";

/** Names the advisory lock that one migration at a time holds: "influxio" in ASCII. */
const MIGRATION_LOCK = "7597122237433932143";

/** Makes a transaction of READ COMMITTED, whatever is the database's default. */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/**
 * Brings the schema up to date, whole or not at all; also when several do so at once.
 * @throws {InfluxionError} `RECEIVER_STORE_TOO_NEW`
 */
export async function migrate(client: ClientBase): Promise<void> {
  await client.query(`${BEGIN}; SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  try {
    const version = refuseNewer(await schemaVersion(client));
    for (const [n, sql] of MIGRATIONS.entries()) {
      if (n === 0 && version === 0) await client.query(FIRST);
      if (n < version) continue;
      await client.query(sql);
      await client.query("INSERT INTO influxion.migration (version) VALUES ($1)", [n + 1]);
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

const FIRST = `CREATE SCHEMA IF NOT EXISTS influxion;
  CREATE TABLE influxion.migration (
    version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
  )`;

/** @throws {InfluxionError} `RECEIVER_STORE_TOO_NEW`, `RECEIVER_STORE_TOO_OLD` */
export async function checkSchema(client: ClientBase): Promise<void> {
  const version = refuseNewer(await schemaVersion(client));
  if (version === MIGRATIONS.length) return;
  const found =
    version === 0 ? "has no tables of a receiver yet" : `has the tables of version ${version}`;
  throw new InfluxionError(
    "RECEIVER_STORE_TOO_OLD",
    `the database ${found}, and version ${MIGRATIONS.length} is needed; start the receiver with --migrate once`,
  );
}

/** 0 when there are no tables yet. */
async function schemaVersion(client: ClientBase): Promise<number> {
  const { rows: found } = await client.query(
    "SELECT to_regclass('influxion.migration') IS NOT NULL AS present",
  );
  if (found[0]?.present !== true) return 0;
  const { rows } = await client.query("SELECT max(version) AS version FROM influxion.migration");
  return Number(rows[0]?.version ?? 0);
}

function refuseNewer(version: number): number {
  if (version <= MIGRATIONS.length) return version;
  throw new InfluxionError(
    "RECEIVER_STORE_TOO_NEW",
    `a newer version of the receiver made the tables of the database (version ${version}, this one knows ${MIGRATIONS.length}); update this receiver`,
  );
}
