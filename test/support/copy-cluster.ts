// A child program: copies the files of a running PostgreSQL server, from one folder to another.
// In a process of its own, it does not wait for the threads that a busy test keeps occupied.
import { cpSync } from "node:fs";
import { basename, dirname } from "node:path";

/** Folders whose content a copy does without: https://www.postgresql.org/docs/current/continuous-archiving.html */
const EMPTY = new Set([
  ...["pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots"],
  ...["pg_stat_tmp", "pg_subtrans"],
]);

/** These come and go while they are copied. */
const PASSING = /^(pgsql_tmp|pg_internal\.init|postmaster\.)/;

const [from = "", to = ""] = process.argv.slice(2);
cpSync(from, to, {
  recursive: true,
  filter: (path) => !EMPTY.has(basename(dirname(path))) && !PASSING.test(basename(path)),
});
