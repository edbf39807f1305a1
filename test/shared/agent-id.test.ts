import fc from "fast-check";
import { expect, test } from "vitest";
import { isAgentId, normalizeAgentId, slugOf } from "../../src/shared/agent-id.ts";

/** The host's own, which is not part of its types. */
async function hostFunction(): Promise<(text: string) => string> {
  const specifier = "openclaw/plugin-sdk/routing";
  return ((await import(specifier)) as { normalizeAgentId: (text: string) => string })
    .normalizeAgentId;
}

const CORPUS = [
  "main",
  "My Agent",
  "my-agent",
  "MY-AGENT",
  "  spaced  ",
  "Ünïcödé",
  "日本",
  "İstanbul",
  "ſ",
  "K",
  "a".repeat(64),
  "a".repeat(65),
  `${"a".repeat(63)}é`,
  `${"é".repeat(70)}b`,
  "-leading",
  "trailing-",
  "_under",
  "9lives",
  "a.b",
  "../x",
  "a/b",
  "a\\b",
  "",
  " ",
  "---",
  "!!!",
  "a\u0000b",
  "\ud800",
  "tab\there",
  "a--b",
  "a é b",
];

test("P67: an agent's id is normalised as the host does it", async () => {
  const host = await hostFunction();
  for (const text of CORPUS) {
    expect([text, normalizeAgentId(text)]).toEqual([text, host(text)]);
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 80 }),
        fc.string({ unit: fc.constantFrom("a", "Z", "9", "-", "_", " ", "é", "."), maxLength: 80 }),
      ),
      (text) => {
        expect(normalizeAgentId(text)).toBe(host(text));
      },
    ),
    { numRuns: 3000 },
  );
});

test("the name of a folder that no agent can have is not taken for the default agent", () => {
  expect(slugOf("日本")).toBe("");
  expect(slugOf("My Agent")).toBe("my-agent");
});

test.for([
  ["main", true],
  ["a_b-9", true],
  ["", false],
  ["../x", false],
  [".", false],
  ["a".repeat(65), false],
  ["é", false],
] as const)("%j can be an agent's id: %j", ([text, can]) => {
  expect(isAgentId(text)).toBe(can);
});
