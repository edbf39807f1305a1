import fc from "fast-check";
import { expect, test } from "vitest";
import { compileGlob, isGlob } from "../../src/config/glob.ts";

test.for([
  ["tmp-*", "tmp-1", true],
  ["tmp-*", "not-tmp-1", false],
  ["*", "..", true],
  ["*", ".begins-with-a-dot", true],
  ["*", "a\nb", true],
  ["agent:*", "agent:main:telegram/group:-1", true],
  ["*/x", "a/b/x", true],
  ["a*b*c", "a--b--c", true],
  ["a*b*c", "a--c--b", false],
  ["**", "a/b", true],
  ["s?", "s1", true],
  ["s?", "s/", true],
  ["s?", "s12", false],
  ["[0-9]*", "7up", true],
  ["[0-9]*", "up7", false],
  ["[!0-9]*", "up", true],
  ["[^0-9]*", "7up", false],
  ["[]]", "]", true],
  ["[a-]", "-", true],
  ["{a,b}-*", "b-1", true],
  ["{a,b{c,d}}x", "bdx", true],
  ["{a,b{c,d}}x", "bx", false],
  ["{a,}b", "b", true],
  ["a.b+c", "a.b+c", true],
  ["a.b", "axb", false],
] as const)("P67: the glob %j on %j: %j", ([glob, text, matches]) => {
  expect(compileGlob(glob)(text)).toBe(matches);
});

test.for([
  "!x",
  "#x",
  "[draft",
  "{a",
  "{a}",
  "a}",
  "(a)",
  "(a|b)",
  "@(a)",
  "$a^",
  "./x",
  "../x",
  "a\\",
  "[z-a",
  "]",
])("P67: %j stands for itself, and for nothing else", (glob) => {
  const matches = compileGlob(glob);
  expect(matches(glob)).toBe(true);
  for (const other of ["x", "a", "b", "draft", "", "anything"]) {
    if (other !== glob) expect(matches(other)).toBe(false);
  }
});

test("P67: a backslash takes what follows as it is, on every system", () => {
  expect(compileGlob("a\\*b")("a*b")).toBe(true);
  expect(compileGlob("a\\*b")("axb")).toBe(false);
  expect(compileGlob("\\{a,b\\}")("{a,b}")).toBe(true);
  expect(compileGlob("a\\\\b")("a\\b")).toBe(true);
});

/** The same by trying everything. */
function slow(glob: string, text: string): boolean {
  if (glob === "") return text === "";
  const rest = glob.slice(1);
  if (glob[0] === "*") {
    return Array.from({ length: text.length + 1 }, (_, at) => slow(rest, text.slice(at))).some(
      Boolean,
    );
  }
  return text !== "" && (glob[0] === "?" || glob[0] === text[0]) && slow(rest, text.slice(1));
}

test("P67: stars and question marks match what they say", () => {
  const piece = fc.constantFrom("a", "b", "/", ".");
  fc.assert(
    fc.property(
      fc.string({ unit: fc.oneof(piece, fc.constantFrom("*", "?")), minLength: 1, maxLength: 7 }),
      fc.string({ unit: piece, minLength: 1, maxLength: 8 }),
      (glob, text) => {
        expect(compileGlob(glob)(text)).toBe(slow(glob, text));
      },
    ),
    { numRuns: 5000 },
  );
});

test("P67: any text without glob characters matches itself only", () => {
  const plain = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((text) => !/[*?[\]{}\\]/.test(text));
  fc.assert(
    fc.property(plain, plain, (glob, text) => {
      expect(compileGlob(glob)(text)).toBe(glob === text);
    }),
  );
});

test("no glob takes long that the config lets pass", () => {
  const started = performance.now();
  expect(compileGlob("*a*a*a*ab")("a".repeat(200))).toBe(false);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(isGlob("*a*b**c*d")).toBe(true);
  expect(isGlob("*a*b*c*d*")).toBe(false);
  expect(isGlob("a".repeat(1001))).toBe(false);
});
