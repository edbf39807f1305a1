import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RULE_IDS } from "../../src/redaction/redactor.ts";

test("docs/privacy.md names every rule, and no other", () => {
  const text = readFileSync(new URL("../../docs/privacy.md", import.meta.url), "utf8");
  const rules = /### Rules\n\n([^#]*)\n##/.exec(text)?.[1] ?? "";
  expect([...rules.matchAll(/`([^`]+)`/g)].map(([, id]) => id).toSorted()).toEqual(
    [...RULE_IDS].toSorted(),
  );
});
