import { expect, test } from "vitest";
import { RULE_IDS } from "../../src/redaction/redactor.ts";
import { RULES } from "../../src/redaction/rules/all.ts";
import { CONTEXTS, entry } from "./contexts.ts";
import { cleanTexts, LOOK_ALIKES, PLACEHOLDERS } from "./look-alikes.ts";
import { type Example, examples, rulesWithExamples } from "./secrets.ts";
import { formsOf, redactLine } from "./support.ts";

const SEEDS = [1, 2, 3, 4];

/** Whether enough of a secret is left to find it by. */
function isLeft(text: string, secret: string): boolean {
  const pieces =
    secret.length > 12 ? [secret.slice(0, -4), secret.slice(4), secret.slice(-8)] : [secret];
  return [secret, ...pieces].flatMap(formsOf).some((form) => text.includes(form));
}

test("each rule has an id of its own, a source and examples", () => {
  expect(RULE_IDS.size).toBe(RULES.length);
  expect(RULES.filter(({ id, source }) => !/^[a-z0-9-]+$/.test(id) || source.length < 5)).toEqual(
    [],
  );
  expect(rulesWithExamples().toSorted()).toEqual([...RULE_IDS].toSorted());
});

test.each(Object.entries(CONTEXTS))("finds what each rule is for: %s", async (_, context) => {
  const missed: Example[] = [];
  for (const example of SEEDS.flatMap(examples)) {
    const { text, rules } = await redactLine(context(example.text));
    if (isLeft(text, example.secret) || !rules.includes(example.rule)) missed.push(example);
    JSON.parse(text);
  }
  expect(missed).toEqual([]);
});

test("what is found is gone when it is looked for once more", async () => {
  for (const { text } of examples(5)) {
    const once = await redactLine(entry(text));
    expect((await redactLine(once.text)).text).toBe(once.text);
  }
});

test("leaves what documents write instead of a secret", async () => {
  const changed: string[] = [];
  const beginnings = RULES.filter((rule) => !rule.generic).flatMap(({ needles }) =>
    needles.map(({ text }) => text).filter((text) => !text.includes("[") && !text.includes("%")),
  );
  for (const beginning of beginnings) {
    for (const placeholder of PLACEHOLDERS) {
      const line = entry(`use ${beginning}${placeholder} here`);
      if ((await redactLine(line)).text !== line) changed.push(beginning + placeholder);
    }
  }
  expect(changed).toEqual([]);
});

test.each(Object.entries(LOOK_ALIKES))("leaves what only looks like it: %s", async (_, texts) => {
  const changed: string[] = [];
  for (const text of texts) {
    for (const context of Object.values(CONTEXTS)) {
      const line = context(text);
      if ((await redactLine(line)).text !== line) changed.push(line);
    }
  }
  expect(changed).toEqual([]);
});

test("leaves hashes, ids, images and keys that are public", async () => {
  const changed: string[] = [];
  for (const text of [1, 2, 3, 4, 5].flatMap(cleanTexts)) {
    for (const context of Object.values(CONTEXTS)) {
      const line = context(text);
      if ((await redactLine(line)).text !== line) changed.push(text);
    }
  }
  expect(changed).toEqual([]);
});
