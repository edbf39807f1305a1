import { isSendableKey } from "../../config/config.ts";
import { KEY_VARIABLE } from "../../receiver/key.ts";
import type { GivenKey } from "../../receiver/run.ts";
import type { ServeOptions } from "../../receiver/serve.ts";
import { plain } from "../../shared/text.ts";

/** Environment variable for the address of the database, which may have a password in it. */
export const STORE_VARIABLE = "INFLUXION_RECEIVER_STORE";

/** What `receive` is called with, as it was typed. */
export interface ReceiveFlags {
  readonly port: string;
  readonly host?: string | undefined;
  readonly dir?: string | undefined;
  readonly key?: string | undefined;
  readonly store?: string | undefined;
  readonly migrate?: boolean | undefined;
  readonly keep?: string | undefined;
  readonly pool?: string | undefined;
  readonly inFlight?: string | undefined;
  readonly ratePerKey?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with how a command was called, in one sentence. */
export class UsageError extends Error {}

/** Where parts are kept, with what only one of them has. */
export type Place =
  | { readonly kind: "files"; readonly dir: string }
  | {
      readonly kind: "postgres";
      readonly url: string;
      readonly migrate: boolean;
      readonly pool: number | undefined;
      /** Days after which lines are removed. */
      readonly keepDays: number | undefined;
    };

/** @throws {UsageError} */
export function placeOf(flags: ReceiveFlags, env: Environment): Place {
  const url = storeOf(flags.store, env);
  if (url !== undefined && flags.dir === undefined) {
    const pool = optional(flags.pool, (value) => integerOf("--pool", value, 1, 1000));
    const keepDays = optional(flags.keep, daysOf);
    return { kind: "postgres", url, migrate: flags.migrate === true, pool, keepDays };
  }
  if (flags.store !== undefined) throw new UsageError("--store and --dir: expected one of them");
  for (const name of ["migrate", "keep", "pool"] as const) {
    if (flags[name] !== undefined)
      throw new UsageError(`--${name}: expected together with --store`);
  }
  if (flags.dir === "") throw new UsageError("--dir: expected the path of a folder");
  return { kind: "files", dir: flags.dir ?? "influxion-received" };
}

/** The flag wins over the environment, where an empty value is none. @throws {UsageError} */
export function storeOf(flag: string | undefined, env: Environment): string | undefined {
  const value = flag ?? (env[STORE_VARIABLE] || undefined);
  if (value === undefined || /^postgres(ql)?:\/\//.test(value)) return value;
  const origin = flag === undefined ? STORE_VARIABLE : "--store";
  // Not repeated: it may have a password in it.
  throw new UsageError(`${origin}: expected an address like postgres://user@host/database`);
}

/** @throws {UsageError} */
export function serveOptionsOf(flags: ReceiveFlags): ServeOptions {
  return {
    port: integerOf("--port", flags.port, 0, 65_535),
    host: optional(flags.host, (value) => textOf("--host", value, "an address of this machine")),
    inFlight: optional(flags.inFlight, (value) => integerOf("--in-flight", value, 1, 100_000)),
    ratePerKey: optional(flags.ratePerKey, (value) => integerOf("--rate-per-key", value, 1, 1e6)),
    tls: tlsOf(flags),
  };
}

function tlsOf({ tlsCert, tlsKey }: ReceiveFlags): ServeOptions["tls"] {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (!tlsCert || !tlsKey) throw new UsageError("--tls-cert and --tls-key: expected both of them");
  return { cert: tlsCert, key: tlsKey };
}

/** The flag wins over the environment, where an empty value is none. @throws {UsageError} */
export function givenKeyOf({ key }: ReceiveFlags, env: Environment): GivenKey | undefined {
  const fromEnv = env[KEY_VARIABLE] || undefined;
  const value = key ?? fromEnv;
  if (value === undefined) return undefined;
  const origin = key === undefined ? KEY_VARIABLE : "--key";
  if (isSendableKey(value)) return { value, origin };
  throw new UsageError(
    `${origin}: expected ASCII characters without spaces or line breaks; without it the receiver makes a key and keeps it`,
  );
}

/** @throws {UsageError} */
export function daysOf(value: string): number {
  const days = /^(\d{1,5})d$/.exec(value)?.[1];
  if (days !== undefined && Number(days) > 0) return Number(days);
  throw new UsageError(`--keep: found "${plain(value)}", expected days, e.g. 90d`);
}

function integerOf(flag: string, value: string, least: number, most: number): number {
  const number = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(
    `${flag}: found "${plain(value)}", expected a whole number from ${least} to ${most}`,
  );
}

function textOf(flag: string, value: string, expected: string): string {
  if (value !== "") return value;
  throw new UsageError(`${flag}: expected ${expected}`);
}

function optional<T>(value: string | undefined, read: (value: string) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}
