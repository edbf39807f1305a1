import { createHash, createHmac } from "node:crypto";
import type { PatternOption } from "./patterns.ts";
import { RULES } from "./rules/all.ts";
import { usable } from "./values.ts";

/**
 * Rises with every change of what is found, other than of forms and names of rules:
 * `test/redaction/identity.test.ts` holds that it does.
 */
export const ENGINE = 1;

export interface IdentityOptions {
  readonly disable: readonly string[];
  readonly patterns: readonly PatternOption[];
  readonly values: readonly string[];
  /** See {@link identityOf}. */
  readonly identitySecret: Uint8Array;
}

/**
 * Names what a redactor does: two of the same identity make the same bytes of the same line. It may
 * be sent and kept, as a part of an idempotency key.
 *
 * Values are in it as an HMAC under `identitySecret`, which must be random, stay on this machine and never be sent:
 * under a key that others know, or none, whoever sees the identity could try out passwords until one
 * gives the same. With another one the same values have another identity, no more.
 */
export function identityOf({ disable, patterns, values, identitySecret }: IdentityOptions): string {
  const hash = createHash("sha256");
  const add = (part: unknown): unknown => hash.update(`${JSON.stringify(part)}\n`);
  add(ENGINE);
  add(RULES.map(({ id, needles, form }) => [id, needles.map(({ text }) => text), form]));
  add([...new Set(disable)].sort());
  add(patterns.map(({ id, pattern }) => [id, pattern]));
  add(digestOf(usable(values), identitySecret));
  return hash.digest("hex").slice(0, 32);
}

function digestOf(values: readonly string[], secret: Uint8Array): string {
  const hmac = createHmac("sha256", secret);
  for (const value of [...values].sort()) hmac.update(`${value.length}:${value}`);
  return hmac.digest("hex");
}
