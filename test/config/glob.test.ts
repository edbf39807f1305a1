import fc from "fast-check";
import { expect, test } from "vitest";
import { compileGlob, compileIdGlob, isGlob } from "../../src/config/glob.ts";
import { slugOf } from "../../src/shared/agent-id.ts";

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
  ['"private"*', '"private" notes', true],
  ['*"secret"*', 're: "secret" plan', true],
  ['*"secret"*', "bbbb", false],
  ["'a'*", "'a'b", true],
  ["?-x", "🔒-x", true],
  ["??-x", "🔒-x", false],
  ["[🔒🔐]*", "🔒 mine", true],
  ["[!🔒]", "🔐", true],
  ["[ -/]x", ".x", true],
  ["[.-9]x", "/x", true],
  ["[.-9]x", "5x", true],
  ["[+-.]x", ",x", true],
  ["[#-%]x", "$x", true],
  ["[0-/]x", "/x", true],
  ["[/.]x", ".x", true],
  ["[\\]a]x", "]x", true],
  ["[[a]x", "[x", true],
  ["\ue000*", "/x", false],
  ["{1..3}x", "{1..3}x", true],
  ["{*-a,b}", "x-a", true],
  ["{a[,]b,c}", "a,b", true],
  ["{a\\,b,c}", "a,b", true],
  ["{a{b,c}", "{ac", true],
  ["{a,b}c}", "bc}", true],
  ["{a,{b,c}", "{a,c", true],
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

const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'*?[]{},\\!^-"/.()|+@#$'),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
  ),
  minLength: 1,
  maxLength: 12,
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
  const plain = anyText.filter((text) => !/[*?[\]{}\\]/.test(text));
  fc.assert(
    fc.property(plain, plain, (glob, text) => {
      expect(compileGlob(glob)(text)).toBe(glob === text);
    }),
  );
});

test("P67: any text is a glob for itself only, with a backslash before each of its characters", () => {
  fc.assert(
    fc.property(anyText, anyText, (name, other) => {
      const matches = compileGlob([...name].map((char) => `\\${char}`).join(""));
      expect([matches(name), matches(other)]).toEqual([true, name === other]);
    }),
    { numRuns: 2000 },
  );
});

test("P67: any text is matched by a question mark for each character, and by no more and no fewer", () => {
  fc.assert(
    fc.property(anyText, (name) => {
      const marks = "?".repeat([...name].length);
      const matched = [marks, `${marks}?`, marks.slice(1)].map((glob) => compileGlob(glob)(name));
      expect(matched).toEqual([true, false, false]);
    }),
  );
});

test("P67: a set has what lies between two characters, whatever they are", () => {
  // The first characters of private use stand for ASCII.
  const char = fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .filter((text) => !/[\ue000-\ue07f]/.test(text));
  const code = (text: string): number => text.codePointAt(0) as number;
  fc.assert(
    fc.property(char, char, char, (low, high, between) => {
      const isIn = code(low) <= code(between) === code(between) <= code(high);
      expect(compileGlob(`[\\${low}-\\${high}]`)(between)).toBe(
        isIn || between === low || between === high,
      );
    }),
  );
});

test("P67: a name is matched by what its user wrote, when only the id is known that the host made of it", () => {
  const name = fc
    .string({ unit: fc.constantFrom(..."aZ9_ é.!,([{?*\\日🔒"), minLength: 1, maxLength: 30 })
    .filter((text) => slugOf(text) !== "");
  fc.assert(
    fc.property(name, fc.nat(30), fc.nat(30), (text, start, length) => {
      const chars = [...text.trim().toLowerCase()];
      const escaped = chars.map((char) => `\\${char}`);
      expect(compileIdGlob(escaped.join(""))(slugOf(text))).toBe(true);
      expect(
        compileIdGlob([...escaped].fill("*", start, start + length).join(""))(slugOf(text)),
      ).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

test.for([
  ["*a*a*a*ab"],
  [`{a,aa}{a,aa}{a,aa}{a,aa}*b`],
  ["[".repeat(1000)],
  ["{".repeat(4).padEnd(1000, "a,")],
] as const)("no glob takes long that the config lets pass: %s", ([glob]) => {
  expect(isGlob(glob)).toBe(true);
  const started = performance.now();
  expect(compileGlob(glob)("a".repeat(120))).toBe(false);
  expect(performance.now() - started).toBeLessThan(5000);
});

test.for([["*a*b*c*d*"], ["{a,b}".repeat(5)], ["a".repeat(1001)]] as const)(
  "the glob %s could take long, and is refused",
  ([glob]) => {
    expect(isGlob(glob)).toBe(false);
  },
);

test("a star or brace behind a backslash is text, and does not count", () => {
  expect(isGlob("\\*\\*\\*\\*\\*\\{\\{\\{\\{\\{*a**b*")).toBe(true);
});
