import { createHash } from "node:crypto";
import * as v from "valibot";

/** What names an entry within its session; hosts keep these when they move it to another store. */
const NamedSchema = v.object({
  type: v.string(),
  id: v.string(),
  timestamp: v.optional(v.union([v.string(), v.number()])),
});

/**
 * Digest of one entry that is equal in every store. Hosts keep an imported entry's
 * type, id and timestamp, but neither its bytes nor, for media, its whole content.
 * An entry without id is recognised by its text.
 *
 * @throws {SyntaxError} when `jsonText` is not JSON.
 */
export function entryDigest(jsonText: string): string {
  const value: unknown = JSON.parse(jsonText);
  const name = v.is(NamedSchema, value)
    ? JSON.stringify([value.type, value.id, value.timestamp])
    : jsonText;
  return createHash("sha256").update(name).digest("hex").slice(0, 32);
}
