import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigSchema, formatConfigProblem, readConfig } from "../../src/config/config.ts";
import { parseInterval } from "../../src/config/interval.ts";

const KEY = "sk-sentinel-9f8e7d6c5b4a39281706";

/** Every option's name, and some that do not exist. */
const names = [
  ...Object.keys(ConfigSchema.entries),
  ...["every", "retryAttempts", "retryBackoffMs", "timeoutMs", "maxFilesPerRun", "maxBytesPerRun"],
  ...[
    "concurrency",
    "level",
    "images",
    "agents",
    "sessions",
    "allow",
    "deny",
    "minMessages",
    "minBytes",
  ],
  ...["source", "provider", "id", "apikey", "key", "__proto__", "constructor", ""],
];

const leaf = fc.oneof(
  fc.constantFrom(KEY, ` ${KEY} `, `Bearer ${KEY}`, `${KEY}\n`, `https://user:${KEY}@api.example`),
  fc.constantFrom(`https://api.example/?key=${KEY}`, "https://api.example", "http://127.0.0.1:1"),
  fc.constantFrom("15m", "0", "env", "file", 0, 1, -1, 1.5, 1e300, null, true),
  fc.string(),
  fc.double(),
);

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthIdentifier: "config" },
    { weight: 3, arbitrary: leaf },
    { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 6 }) },
    { weight: 1, arbitrary: fc.array(tie("tree"), { maxLength: 3 }) },
  ),
}));

const complete = fc.record(
  {
    apiKey: fc.oneof(leaf, fc.record({ source: leaf, id: leaf }), tree),
    deploymentId: fc.oneof(fc.constant("d"), leaf),
    projectId: fc.oneof(fc.constant("p"), leaf),
    apiUrl: leaf,
    allowInsecureHttp: fc.oneof(fc.boolean(), leaf),
    upload: tree,
    filter: tree,
  },
  { requiredKeys: ["apiKey", "deploymentId", "projectId"] },
);

test("any config is read without an exception, and is good only when nothing is missing", () => {
  fc.assert(
    fc.property(fc.oneof(tree, complete, fc.jsonValue()), (input) => {
      const result = readConfig(input);
      if (!result.ok) {
        expect(result.problems.length).toBeGreaterThan(0);
        for (const problem of result.problems) expect(formatConfigProblem(problem)).not.toBe("");
        return;
      }
      const { apiKey, deploymentId, projectId, apiUrl, everyMs } = result.config;
      expect(apiKey).toBeTruthy();
      expect(deploymentId.trim()).not.toBe("");
      expect(projectId.trim()).not.toBe("");
      expect(URL.canParse(apiUrl)).toBe(true);
      expect(Number.isSafeInteger(everyMs)).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

test("P58: whatever is wrong with a config, telling so never tells the key", () => {
  const key = fc.constantFrom<unknown>(
    KEY,
    `${KEY} `,
    `${KEY}\n`,
    [KEY],
    { id: KEY },
    { key: KEY },
  );
  const harmless = leaf.filter((value) => !String(value).includes(KEY));
  const url = fc.constantFrom(`https://u:${KEY}@api.example`, `https://api.example/?key=${KEY}`);
  const config = fc.record(
    { apiKey: key, deploymentId: harmless, projectId: harmless, apiUrl: url, upload: harmless },
    { requiredKeys: ["apiKey"] },
  );
  const misplaced = fc.oneof(
    config,
    config.map((one) => [one]),
    config.map((one) => ({ upload: one, filter: [one], deploymentId: one })),
  );
  fc.assert(
    fc.property(misplaced, (input) => {
      const result = readConfig(input);
      for (const problem of result.ok ? [] : result.problems) {
        expect(formatConfigProblem(problem)).not.toContain(KEY);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Longest span the clock can tell from now on: dates end at 8.64e15 ms. */
const MAX_SPAN_MS = 8.64e15 - Date.parse("2026-11-22T12:00:00Z");

test("any interval is a whole number of ms that the clock can add, or none", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^\d{1,30}(\.\d{1,5})?\s?[smhd]?$/),
    fc.double({ min: 0 }),
    fc.nat(),
  );
  fc.assert(
    fc.property(text, (value) => {
      const ms = parseInterval(value);
      if (ms === null) return;
      expect(Number.isSafeInteger(ms)).toBe(true);
      expect(ms).toBeLessThanOrEqual(MAX_SPAN_MS);
    }),
    { numRuns: 3000 },
  );
});

test("an interval of any number of minutes is not taken for off", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, noNaN: true, noDefaultInfinity: true }), (every) => {
      const input = { apiKey: KEY, deploymentId: "d", projectId: "p", upload: { every } };
      const result = readConfig(input);
      if (result.ok) expect(result.config.everyMs).toBeGreaterThan(0);
    }),
  );
});
