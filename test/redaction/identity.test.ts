import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ENGINE } from "../../src/redaction/identity.ts";
import { CONTEXTS } from "./contexts.ts";
import { examples } from "./secrets.ts";
import { redactLine, redactor } from "./support.ts";

const identity = (options: Parameters<typeof redactor>[0]): string => redactor(options).identity;

test("the same options have the same identity, in any order where that means nothing", () => {
  expect(identity({ disable: ["jwt", "cookie"], values: ["first-one", "second-one"] })).toBe(
    identity({ disable: ["cookie", "jwt"], values: ["second-one", "first-one ", "second-one"] }),
  );
});

test("each option is part of the identity, and so is the secret", () => {
  const all = [
    {},
    { disable: ["jwt"] },
    { patterns: [{ id: "a", pattern: "abc" }] },
    { patterns: [{ id: "a", pattern: "abd" }] },
    { patterns: [{ id: "b", pattern: "abc" }] },
    { values: ["first-one"] },
    { values: ["second-one"] },
    { values: ["first-one", "second-one"] },
    { values: ["first-one"], identitySecret: Buffer.alloc(32, 8) },
  ].map(identity);
  expect(new Set(all).size).toBe(all.length);
});

test("values that are not looked for do not count", () => {
  expect(identity({ values: ["abc"] })).toBe(identity({}));
});

/** What the engine makes of its examples; changes with what it finds, and so must its version. */
const FINDINGS: Readonly<Record<number, string>> = {
  1: "1e128ebf6b9981cef5941379dffaf00d",
};

test("what is found changes only with the version of the engine", async () => {
  const hash = createHash("sha256");
  for (const { text } of examples(99)) {
    for (const context of Object.values(CONTEXTS)) {
      const { findings } = await redactLine(context(text));
      hash.update(JSON.stringify(findings));
    }
  }
  expect(FINDINGS[ENGINE]).toBe(hash.digest("hex").slice(0, 32));
});
