import type { Pool, types } from "pg";
import type { from, to } from "pg-copy-streams";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";

export interface Driver {
  readonly Pool: typeof Pool;
  readonly types: typeof types;
  readonly copyFrom: typeof from;
  readonly copyTo: typeof to;
}

/**
 * The packages that speak to PostgreSQL, which are installed by those alone who want them.
 * @throws {InfluxionError} `RECEIVER_NO_DRIVER`
 */
export async function loadDriver(): Promise<Driver> {
  try {
    const [pg, copy] = await Promise.all([import("pg"), import("pg-copy-streams")]);
    return { Pool: pg.default.Pool, types: pg.default.types, copyFrom: copy.from, copyTo: copy.to };
  } catch (error) {
    if (errnoOf(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new InfluxionError(
      "RECEIVER_NO_DRIVER",
      "a store in PostgreSQL needs the packages pg and pg-copy-streams, which are not installed here; run: npm install pg@8 pg-copy-streams@7",
      { cause: error },
    );
  }
}
