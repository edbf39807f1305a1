import { expect, test } from "vitest";
import { CONTENT_LEVELS } from "../../src/config/content.ts";
import { filterPayload } from "../../src/content/filter.ts";
import { binary, decoded, filterOf } from "./support.ts";

const SECRET = "my secret words";

test("a payload keeps its characters", () => {
  const line = JSON.stringify({
    type: "message",
    message: { role: "user", content: 'ö 日 🦞 " \\ \u2028 \u0001 \ud800' },
  });
  const sent = decoded(filterPayload(binary(line), filterOf({ level: "text" })));
  expect(sent).toBe(line);
});

test("escapes in a payload become the characters that they mean", () => {
  const line = '{"type":"message","message":{"role":"user","content":"\\u00f6\\u65e5\\u0022"}}';
  const sent = decoded(filterPayload(binary(line), filterOf({ level: "text" })));
  expect(JSON.parse(sent)).toEqual(JSON.parse(line));
});

test.for(CONTENT_LEVELS)("at %s a name that a line has twice hides nothing", (level) => {
  const tool = `{"role":"toolResult","content":"${SECRET}"}`;
  const image = `{"role":"user","content":[{"type":"image","data":"${SECRET}"}]}`;
  const last = '{"role":"user","content":"hi"}';
  const line = `{"type":"message","message":${tool},"message":${image},"message":${last}}`;
  const sent = decoded(filterPayload(binary(line), filterOf({ level, images: false })));
  expect(sent).not.toContain(SECRET);
  expect(JSON.parse(sent).message.role).toBe("user");
});

test.for(["__proto__", "constructor", "toString", "toJSON", "hasOwnProperty", "[left out]"])(
  "a member called %s hides nothing and breaks nothing",
  (name) => {
    const hidden = `"${name}":{"role":"user","content":"${SECRET}","${name}":"${SECRET}"}`;
    const block = `{"type":"text","text":"hi",${hidden}}`;
    const line = `{"type":"message",${hidden},"message":{"role":"assistant",${hidden},"content":[${block}]}}`;
    for (const level of ["no-tool-output", "text", "metadata"] as const) {
      const sent = decoded(filterPayload(binary(line), filterOf({ level })));
      expect(sent).not.toContain(SECRET);
      expect(JSON.parse(sent)).toMatchObject({
        type: "message",
        "[left out]": expect.stringMatching(/^\[left out: \d+\]$/),
        message: { role: "assistant", content: [{ type: "text" }] },
      });
    }
    const whole = decoded(filterPayload(binary(line), filterOf({ images: false })));
    expect(whole).toBe(line);
  },
);

test.for(["__proto__", "constructor", "toString", "valueOf"])(
  "%s is no type, role or block that is known",
  (name) => {
    for (const entry of [
      { type: name, summary: SECRET },
      { type: "message", message: { role: name, content: SECRET } },
      { type: "message", message: { role: "user", content: [{ type: name, text: SECRET }] } },
      { type: "custom", customType: name, data: { error: SECRET } },
    ]) {
      const sent = JSON.stringify(filterOf({ level: "no-tool-output" })(entry));
      expect(sent).not.toContain(SECRET);
      expect(sent).toContain(`"${name}"`);
    }
  },
);

const DEPTH = 200_000;
const LISTS = `${"[".repeat(DEPTH)}"${SECRET}"${"]".repeat(DEPTH)}`;
const OBJECTS = `${'{"a":'.repeat(DEPTH)}"${SECRET}"${"}".repeat(DEPTH)}`;

const DEEP: readonly (readonly [name: string, line: (deep: string) => string])[] = [
  ["arguments", (deep) => inMessage(`[{"type":"toolCall","name":"x","arguments":${deep}}]`)],
  ["content", (deep) => inMessage(deep)],
  ["a type", (deep) => `{"type":${deep}}`],
  ["an entry without a type", (deep) => `{"raw":${deep}}`],
  ["an image", (deep) => inMessage(`[{"type":"image","data":${deep}}]`)],
];

const OPTIONS = [
  { level: "full", images: false },
  { level: "no-tool-output" },
  { level: "text" },
  { level: "metadata" },
] as const;

const inMessage = (content: string): string =>
  `{"type":"message","message":{"role":"assistant","content":${content}}}`;

test.for(DEEP)("nesting of any depth in %s neither overflows nor goes through", ([, line]) => {
  for (const deep of [LISTS, OBJECTS]) {
    for (const options of OPTIONS) {
      const sent = filterPayload(binary(line(deep)), filterOf(options));
      expect(sent).not.toContain(SECRET);
      expect(sent.length).toBeLessThan(5000);
      expect(sent).toContain("[left out: ");
    }
  }
});

test("numbers that JSON cannot write again become null, or are left out", () => {
  const line = '{"type":"message","message":{"role":"assistant","usage":{"input":1e999}}}';
  for (const level of ["no-tool-output", "metadata"] as const) {
    expect(() => JSON.parse(filterPayload(line, filterOf({ level })))).not.toThrow();
  }
});
