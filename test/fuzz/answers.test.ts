import fc from "fast-check";
import { expect, test } from "vitest";
import { classifyAnswer } from "../../src/upload/classify.ts";
import { parseReceipt } from "../../src/upload/receipt.ts";
import { MAX_RETRY_AFTER_MS, parseRetryAfter } from "../../src/upload/retry-after.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

test("P41: whatever Retry-After says, the wait is none or a bounded number of ms", () => {
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.integer().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: false }).map((date) => date.toString()),
    fc.stringMatching(/^(Mon|Sat), \d\d (Jan|Feb|Dec) \d{4} \d\d:\d\d:\d\d GMT$/),
  );
  fc.assert(
    fc.property(value, (text) => {
      const wait = parseRetryAfter(text, NOW);
      if (wait === undefined) return;
      expect(Number.isSafeInteger(wait)).toBe(true);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS);
    }),
    { numRuns: 3000 },
  );
});

test("P41: every HTTP date within a day is waited for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_RETRY_AFTER_MS / 1000 }), (seconds) => {
      const date = new Date(NOW + seconds * 1000).toUTCString();
      expect(parseRetryAfter(date, NOW)).toBe(seconds * 1000);
      expect(parseRetryAfter(` ${seconds} `, NOW)).toBe(seconds * 1000);
    }),
  );
});

const receiptLike = fc.record(
  {
    accepted: fc.oneof(fc.nat(), fc.jsonValue()),
    rejected: fc.oneof(fc.nat(), fc.jsonValue()),
    batchId: fc.oneof(fc.string(), fc.jsonValue()),
    warnings: fc.jsonValue(),
    errors: fc.oneof(
      fc.array(fc.record({ lineIndex: fc.nat(), reason: fc.string() })),
      fc.jsonValue(),
    ),
  },
  { requiredKeys: [] },
);

test("P1: whatever a body says, it is a receipt of exactly these lines or none", () => {
  const body = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.json(),
    receiptLike.map((value) => JSON.stringify(value)),
  );
  const status = fc.integer({ min: 100, max: 999 });
  fc.assert(
    fc.property(body, status, fc.nat({ max: 20 }), fc.boolean(), (text, code, sent, endless) => {
      const receipt = parseReceipt(text);
      const outcome = classifyAnswer({ status: code, body: text, endless }, sent, NOW);
      const counted = receipt === null ? -1 : receipt.accepted + receipt.rejected;
      const delivered = code >= 200 && code < 300 && !endless && counted === sent;
      expect(outcome.kind === "delivered").toBe(delivered);
      if (outcome.kind !== "delivered") expect(outcome.reason).toMatch(/^[\x20-\x7e]{1,400}$/);
    }),
    { numRuns: 3000 },
  );
});
