import { createHash, timingSafeEqual } from "node:crypto";

/** What the holder of a key may do. */
export interface Grant {
  /** Names the key; no secret. */
  readonly id: string;
  readonly allows: (projectId: string) => boolean;
}

/** Who may send. */
export interface Access {
  /** Undefined for what is no key, or one no longer. Fails when that cannot be found out now. */
  grant(candidate: string): Promise<Grant | undefined>;
}

/** One key for everything. */
export function singleKey(key: string): Access {
  const expected = digestOf(key);
  const grant: Grant = { id: "key", allows: () => true };
  return {
    grant: async (candidate) => (isEqual(digestOf(candidate), expected) ? grant : undefined),
  };
}

/** The first that knows a candidate decides. */
export function anyOf(all: readonly Access[]): Access {
  return {
    async grant(candidate) {
      for (const access of all) {
        const grant = await access.grant(candidate);
        if (grant !== undefined) return grant;
      }
      return undefined;
    },
  };
}

export function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** In constant time: digests are of equal length, whatever was digested. */
export function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
