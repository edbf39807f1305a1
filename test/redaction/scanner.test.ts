import fc from "fast-check";
import { expect, test } from "vitest";
import type { Rule } from "../../src/redaction/rule.ts";
import { Scanner } from "../../src/redaction/scanner.ts";

const TEXTS = ["ab", "abc", "cab-", "aabbccab", "b[ac]c", "-[a-c][a-c]"];

const ruleOf = (text: string): Rule => ({
  id: text,
  source: "test",
  reach: 0,
  needles: [{ text, verify: () => true }],
  find: () => [],
});

const scanner = new Scanner(TEXTS.map(ruleOf));

/** Offsets at which expressions say that needles are; short ones need a byte before them. */
function expectedIn(text: string): string[] {
  return TEXTS.flatMap((needle) => {
    const before = Math.max(1, 4 - needle.replace(/\[[^\]]+\]/g, ".").length);
    const all = [...text.matchAll(new RegExp(`(?=${needle})`, "g"))].map(({ index }) => index);
    return all.filter((at) => at >= before).map((at) => `${at} ${needle}`);
  }).toSorted();
}

const texts = fc
  .array(fc.constantFrom("a", "b", "c", "-", "ab", "abc", "x".repeat(9)), { maxLength: 400 })
  .map((parts) => `xxx${parts.join("")}`);

test("finds each needle wherever it is, as a plain search does", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const found: string[] = [];
      const bytes = Buffer.from(text);
      scanner.scan(bytes, 0, bytes.length, (at, { rule }) => found.push(`${at} ${rule.id}`));
      const late = expectedIn(text).filter((hit) => Number.parseInt(hit, 10) >= 3);
      expect(found.filter((hit) => Number.parseInt(hit, 10) >= 3).toSorted()).toEqual(late);
    }),
  );
});

test("the quick pass covers each needle, in ascending order", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const bytes = Buffer.from(text);
      const hits = scanner.hits(bytes, 0, bytes.length);
      const starts = hits.filter((_, index) => index % 2 === 0);
      expect(starts).toEqual(starts.toSorted((a, b) => a - b));
      for (const hit of expectedIn(text)) {
        const at = Number.parseInt(hit, 10);
        if (at < 3) continue;
        const isCovered = starts.some(
          (start, index) => start - 3 <= at && at <= (hits[2 * index + 1] ?? 0),
        );
        expect(isCovered).toBe(true);
      }
    }),
  );
});
