import { expect, test } from "vitest";
import { patternProblems } from "../../src/redaction/redactor.ts";
import { entry } from "./contexts.ts";
import { redactLine, redactor } from "./support.ts";

const by = (pattern: string) => redactor({ patterns: [{ id: "ticket", pattern }] });

test("a pattern of the user's own is replaced under its id, in any string", async () => {
  const line = `{"a":"see ACME-1234, größe ACME-99","b":["ACME-5"],"c":{"d":"ACME-x"}}`;
  const { text, findings } = await redactLine(line, by("ACME-[0-9]{1,6}"));
  expect(text).toBe(
    '{"a":"see [redacted:ticket], größe [redacted:ticket]","b":["[redacted:ticket]"],"c":{"d":"ACME-x"}}',
  );
  expect(findings).toHaveLength(3);
});

test("a pattern sees characters as they are, and not their escapes or bytes", async () => {
  const line = '{"a":"Stra\\u00dfe 12, straße 7"}';
  const { text } = await redactLine(line, by("[Ss]traße [0-9]+"));
  expect(text).toBe('{"a":"[redacted:ticket], [redacted:ticket]"}');
});

test("a pattern is looked for in JSON in strings", async () => {
  const inner = JSON.stringify({ note: 'say "ACME" now' });
  const { text } = await redactLine(entry(inner), by('"ACME"'));
  expect(text).toBe(
    entry("@").replace(
      "@",
      JSON.stringify(inner)
        .slice(1, -1)
        .replace(/\\\\\\"ACME\\\\\\"/, "[redacted:ticket]"),
    ),
  );
});

test("a pattern is found wherever it lies in a long string", async () => {
  for (let at = 16_300; at < 16_500; at += 7) {
    const line = entry(`${"x".repeat(at)} ACME-1234 ${"y".repeat(40_000)}`);
    expect((await redactLine(line, by("ACME-[0-9]{4}"))).text).toBe(
      line.replace("ACME-1234", "[redacted:ticket]"),
    );
  }
});

test("lines without a match stay byte-equal", async () => {
  const line = '{ "a" : "\\u0041 \\/ é", "b":1e3 }';
  expect((await redactLine(line, by("ACME"))).text).toBe(line);
});

test("a line on which a pattern takes too long is left out", async () => {
  let ms = 0;
  const patterns = [{ id: "ticket", pattern: "ACME-[0-9]{4}" }];
  const { omitted } = await redactLine(
    entry("a"),
    redactor({ patterns, cpuMs: () => (ms += 6000) }),
  );
  expect(omitted).toBe("redaction-timeout");
});

test.each([
  ["grows faster than its text", "(a+)+b"],
  ["has two repetitions that match the same", "[a-c]*[b-d]*e"],
  ["is no regular expression", "(a"],
  ["matches nothing at all", "a*"],
  ["is too long", "a".repeat(501)],
])("a pattern is refused that %s", (_, pattern) => {
  const problems = patternProblems([{ id: "own", pattern }]);
  expect(problems).toHaveLength(1);
  expect(problems[0]?.expected).toMatch(/pattern|regular expression/);
});

test.each([["github-token"], ["value"], ["too-many"], ["Own"], [""], ["a]b"]])(
  "an id is refused that is taken or would not read well: %s",
  (id) => {
    expect(patternProblems([{ id, pattern: "abc" }])).toHaveLength(1);
  },
);

test("the second of two patterns with one id is refused, and those beyond the twentieth", () => {
  expect(
    patternProblems([
      { id: "a", pattern: "b" },
      { id: "a", pattern: "c" },
    ]),
  ).toMatchObject([{ index: 1 }]);
  const many = Array.from({ length: 21 }, (_, index) => ({ id: `p${index}`, pattern: "abc" }));
  expect(patternProblems(many)).toMatchObject([{ index: 20 }]);
});

test("useful patterns are taken", () => {
  const patterns = [
    "ACME-[0-9]{4,10}",
    "\\b[A-Z]{2}[0-9]{6}\\b",
    "kunde-(?:nr|no)\\.? ?[0-9]+",
    "secret=[^\\s&]+",
  ];
  expect(patternProblems(patterns.map((pattern, index) => ({ id: `p${index}`, pattern })))).toEqual(
    [],
  );
});

test("a redactor is not made with a pattern that is refused", () => {
  expect(() => redactor({ patterns: [{ id: "own", pattern: "(a+)+b" }] })).toThrow(TypeError);
});
