import { expect, test } from "vitest";
import {
  type Form,
  isCallId,
  isFlag,
  isId,
  isMime,
  isModel,
  isName,
  isNumber,
  isTime,
  isToolName,
  isUuid,
  isWord,
} from "../../src/content/forms.ts";

const UUID = "019a0f3c-6402-4fe4-a96a-ebcf037082a3";

/** Values that have a form, and values that do not. */
const FORMS: readonly (readonly [
  name: string,
  form: Form,
  yes: readonly unknown[],
  no: readonly unknown[],
])[] = [
  [
    "name",
    isName,
    ["toolUse", "openai-responses", "max_tokens", "openclaw:prompt-error"],
    ["how are you", "stop\n", "+49170", "a@b.example", "/home/me", "C:\\Users", "ä", "", 5, ["a"]],
  ],
  ["name of a channel", isWord, ["whatsapp", "ms-teams"], ["telegram:12345", "group1", "a b", ""]],
  [
    "name of a tool",
    isToolName,
    ["exec", "server__tool", "mcp:server/tool", "_x"],
    ["run it", "../x", "x\ny", "grüße", ""],
  ],
  [
    "model",
    isModel,
    [
      ...["claude-x-4", "accounts/fireworks/models/m", "us.anthropic.m-v1:0", "@cf/meta/m"],
      ...["m@20260101", "m@latest", "gpt-oss:20b"],
    ],
    ["my model", "/home/me/models/m.gguf", "me@company.example", "m@work", "m\n", ""],
  ],
  ["id", isId, [UUID, "a1b2c3d4", "my.custom_id-01"], ["+49170", "a b", "a|b", "a\n", "", null]],
  ["id of a call", isCallId, ["call_13_0", "call_1|fc_2"], ["call 1", "a\nb", ""]],
  ["UUID", isUuid, [UUID, UUID.toUpperCase()], ["k1", `${UUID}\n`, `x${UUID}`]],
  [
    "MIME type",
    isMime,
    ["image/png", "application/vnd.a+json"],
    ['image/png; name="my file"', "home/me", "image/a b", "image/png\nx", "image"],
  ],
  [
    "time",
    isTime,
    ["2026-11-22T10:03:19.480Z", "2026-11-22T10:03+01:00", 1795341799480],
    ["2026-11-22", "2026-11-22T10:03:19Z hello", "x 2026-11-22T10:03:19Z", Number.NaN],
  ],
  ["number", isNumber, [0, -1.5], ["1", Number.POSITIVE_INFINITY, Number.NaN, null, [1]]],
  ["flag", isFlag, [true, false], ["true", 1, null]],
];

test.for(FORMS)("the form of a %s is no sentence, path or address", ([, form, yes, no]) => {
  expect(yes.filter((value) => !form(value))).toEqual([]);
  expect(no.filter(form)).toEqual([]);
});

test("no form is that of a long text", () => {
  const long = "a".repeat(300);
  expect(FORMS.filter(([, form]) => form(long)).map(([name]) => name)).toEqual([]);
});
