import { createHash } from "node:crypto";

/**
 * Digest of one entry that is equal in every store: hosts keep an imported entry's
 * JSON value, but not its bytes, so object keys are sorted before hashing.
 *
 * @throws {SyntaxError} when `jsonText` is not JSON.
 */
export function entryDigest(jsonText: string): string {
  const canonical = JSON.stringify(JSON.parse(jsonText), sortKeys);
  return createHash("sha256").update(canonical).digest("hex").slice(0, 32);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // By code unit, not by locale. fromEntries defines "__proto__" as a property like any other.
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
