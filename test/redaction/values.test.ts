import { expect, test } from "vitest";
import { CONTEXTS, entry } from "./contexts.ts";
import { formsOf, redactLine, redactor } from "./support.ts";

const VALUES = [
  "correct horse battery",
  "pa$$-w0rd/with+signs==",
  'quote"and\\slash',
  "straße-größe-1",
  "line one\nline two",
  "[brackets]-{12}",
  "日本語のパスワード",
];

test.each(VALUES)("an exact value never leaves: %j", async (value) => {
  const by = redactor({ values: [value] });
  for (const context of Object.values(CONTEXTS)) {
    const { text, rules } = await redactLine(context(value), by);
    expect(formsOf(value).filter((form) => text.includes(form))).toEqual([]);
    expect(rules).toContain("value");
  }
});

test("a value that is part of a longer word is gone from it", async () => {
  const { text } = await redactLine(
    entry("xxhorsebatteryyy"),
    redactor({ values: ["horsebattery"] }),
  );
  expect(text).toBe(entry("xx[redacted:value]yy"));
});

test("white space around a value does not count, and short ones are not looked for", async () => {
  const by = redactor({ values: ["  horsebattery\n", "the", ""] });
  expect((await redactLine(entry("the horsebattery"), by)).text).toBe(
    entry("the [redacted:value]"),
  );
});

test("a value is gone, though it looks like a token of some rule", async () => {
  const value = "ghp_notReallyAToken";
  const { text } = await redactLine(entry(`a ${value} b`), redactor({ values: [value] }));
  expect(text).toBe(entry("a [redacted:value] b"));
});
