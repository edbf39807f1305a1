import { expect, test } from "vitest";
import { Random } from "../../bench/lib/random.ts";
import { Redactor } from "../../src/redaction/redactor.ts";
import { entry } from "./contexts.ts";
import { fill, pem } from "./secrets.ts";
import { redactLine, redactor, SECRET } from "./support.ts";

const random = new Random(11);
const token = fill(random, "ghp_{b62:36}");
const other = fill(random, "xoxb-{digit:12}-{digit:12}-{b62:24}");

test("a block without a secret is given back as it is, itself", async () => {
  const block = Buffer.from(entry("nothing to see"));
  const { bytes, changed } = await redactor().redact(block, [0, block.length]);
  expect(bytes).toBe(block);
  expect(changed).toEqual([]);
});

test("only the secret's own bytes are replaced", async () => {
  const line = `{ "a":"é\\u00e9\\ud83d\\ude00 ${token} \\"q\\" \\\\ \\n","b" : "ü", "n":1e5 }`;
  const expected = line.replace(token, "[redacted:github-token]");
  expect((await redactLine(line)).text).toBe(expected);
});

test("findings are offsets in bytes of the line as it was", async () => {
  const line = entry(`größe 漢字 ${token}, 😀 ${other}`);
  const { findings } = await redactLine(line);
  const bytes = Buffer.from(line);
  const found = findings.map(({ rule, start, end }) => [rule, bytes.toString("utf8", start, end)]);
  expect(found).toEqual([
    ["github-token", token],
    ["slack-token", other],
  ]);
});

test("nothing of a secret is in what is reported", async () => {
  const block = Buffer.from(entry(token));
  const { changed } = await redactor().redact(block, [0, block.length]);
  expect(JSON.stringify(changed)).not.toContain(token.slice(4, 12));
});

test("lines of a block are told by their index, and what is between them stays", async () => {
  const lines = [entry("one"), entry(token), entry("three"), entry(`a ${other}`)];
  const parts = lines.map((line) => Buffer.from(`{"payload":${line}}\n`));
  const payloads: number[] = [];
  let at = 0;
  for (const part of parts) {
    payloads.push(at + '{"payload":'.length, at + part.length - "}\n".length);
    at += part.length;
  }
  const { bytes, changed } = await redactor().redact(Buffer.concat(parts), payloads);
  expect(changed.map(({ index }) => index)).toEqual([1, 3]);
  const expected = [
    lines[0],
    entry("[redacted:github-token]"),
    lines[2],
    entry("a [redacted:slack-token]"),
  ];
  expect(bytes.toString()).toBe(expected.map((line) => `{"payload":${line}}\n`).join(""));
});

test("what stands outside of payloads is not touched", async () => {
  const block = Buffer.from(`{"head":"${token}","payload":{"a":1}}\n`);
  const start = block.indexOf('{"a"');
  expect((await redactor().redact(block, [start, start + 7])).bytes).toBe(block);
});

test("a raw line is searched as well, though it is cut off", async () => {
  const line = JSON.stringify({ raw: entry(`token ${token} and more`).slice(0, -12) });
  expect((await redactLine(line)).text).toBe(line.replace(token, "[redacted:github-token]"));
});

test("the name of a member redacts its value, and stays", async () => {
  const line =
    '{"args":{"password":"letmein now","apiKey" : "k3J9xQ2mV7bT1zR8wL5c","pw":"hunter2x"},"n":1}';
  const spaced = await redactLine(line.replace("letmein now", "letmein"));
  expect(spaced.text).toBe(
    '{"args":{"password":"[redacted:password]","apiKey" : "[redacted:named-secret]","pw":"hunter2x"},"n":1}',
  );
});

test("names of members are left alone, also where they are secrets", async () => {
  const { text } = await redactLine(`{"${token}":"${token}"}`);
  expect(text).toBe(`{"${token}":"[redacted:github-token]"}`);
});

test("members that only count or point at something are left alone", async () => {
  const line = '{"usage":{"totalTokens":12,"token":null,"nextPageToken":"k3J9xQ2mV7bT1zR8wL5c"}}';
  expect((await redactLine(line)).text).toBe(line);
});

test.each([
  ["its first character", `{"a":"\\u0067hp_${token.slice(4)}"}`],
  ["in the middle", `{"a":"ghp\\u005f${token.slice(4)}"}`],
  ["nested", JSON.stringify({ a: `{"b":"\\u0067hp_${token.slice(4)}"}` })],
  ["many", `{"a":"${[...token].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join("")}"}`],
])("a secret is found behind escapes: %s", async (_, line) => {
  const { text, rules } = await redactLine(line);
  expect(rules).toEqual(["github-token"]);
  expect(text).not.toContain(token.slice(8));
});

test("an escaped slash stays as it is around a secret", async () => {
  const line = '{"u":"https:\\/\\/bob:hunter2pw@example.com\\/x"}';
  expect((await redactLine(line)).text).toBe(line.replace("hunter2pw", "[redacted:url-password]"));
});

test.each([
  ["without its end", (key: string) => key.slice(0, 500)],
  ["with line numbers", (key: string) => numbered(key)],
  ["in a diff", (key: string) => key.replace(/^/gm, "+")],
  ["as one string of JSON", (key: string) => JSON.stringify(key)],
  ["quoted", (key: string) => key.replace(/^/gm, "> ")],
])("a private key is gone as a whole: %s", async (_, form) => {
  const key = form(pem(random, "RSA PRIVATE KEY"));
  const { text } = await redactLine(entry(`before\n${key}`));
  expect(text).toContain("[redacted:private-key]");
  expect(text).not.toMatch(/[A-Za-z0-9+/]{24}/);
});

function numbered(text: string): string {
  return text
    .split("\n")
    .map((line, index) => `${String(index + 1).padStart(6)}\t${line}`)
    .join("\n");
}

test.each([20, 26, 39])("a token that breaks off after %i characters is gone", async (length) => {
  for (const end of ["", "…", "...", "\n[truncated]"]) {
    const { text } = await redactLine(entry(`see ${token.slice(0, length)}${end}`));
    expect(text).not.toContain(token.slice(0, 14));
  }
});

test("a rule that is switched off finds nothing", async () => {
  const line = entry(`${token} ${other}`);
  const { text } = await redactLine(line, redactor({ disable: ["github-token"] }));
  expect(text).toBe(line.replace(other, "[redacted:slack-token]"));
});

test("a name of a member redacts nothing once its rule is switched off", async () => {
  const line = '{"args":{"password":"hunter2x"}}';
  expect((await redactLine(line, redactor({ disable: ["password"] }))).text).toBe(line);
});

test("a line that takes too long is left out, with its size", async () => {
  let ms = 0;
  const slow = new Redactor({ identitySecret: SECRET, cpuMs: () => (ms += 6000) });
  const line = entry(token);
  const { text, omitted } = await redactLine(line, slow);
  expect(omitted).toBe("redaction-timeout");
  expect(JSON.parse(text)).toEqual({
    omitted: { reason: "redaction-timeout", bytes: Buffer.byteLength(line) },
  });
});

test("a line at which something is thrown is left out, and the next is redacted", async () => {
  let calls = 0;
  const failing = new Redactor({
    identitySecret: SECRET,
    cpuMs: () => {
      if (calls++ === 0) throw new Error(`quotes ${token}`);
      return 0;
    },
  });
  const [first, second] = [entry(`one ${token}`), entry(`two ${token}`)];
  const block = Buffer.from(`${first}\n${second}`);
  const { bytes, changed } = await failing.redact(block, [
    0,
    first.length,
    first.length + 1,
    block.length,
  ]);
  const [left, redacted] = bytes.toString().split("\n");
  expect(JSON.parse(left ?? "")).toEqual({
    omitted: { reason: "redaction-failed", bytes: first.length },
  });
  expect(redacted).toBe(entry("two [redacted:github-token]"));
  expect(changed.map(({ omitted }) => omitted)).toEqual(["redaction-failed", undefined]);
});

test("a string with more to look at than any text is gone as a whole, and so is what follows it", async () => {
  const line = JSON.stringify({
    a: `x ${"password=hunter22 ".repeat(40_000)}`,
    b: `c ${token}`,
    c: Array(100).fill(1),
    d: "plain",
  });
  const { text } = await redactLine(line);
  const { a, b, d } = JSON.parse(text);
  expect([a, b, d]).toEqual(["[redacted:too-many]", "[redacted:too-many]", "plain"]);
});

test("a string full of escapes that hide nothing stays, and what they hide is found", async () => {
  const escapes = "\\u003cb\\u003e \\u0026 ".repeat(30_000);
  const line = `{"a":"${escapes}","b":"${escapes.replaceAll("\\", "\\\\")}"}`;
  expect((await redactLine(line)).text === line).toBe(true);
  const hidden = line.replace('"}', `\\\\u0067hp_${token.slice(4)}"}`);
  const { rules, text } = await redactLine(hidden);
  expect(rules).toEqual(["github-token"]);
  expect(text.endsWith('[redacted:github-token]"}')).toBe(true);
});

test("a long line is searched to its end", async () => {
  const filler = `${"The quick brown fox. \\n".repeat(50_000)}漢字`;
  const line = JSON.stringify({ a: filler, b: `${filler}${token}`, c: `${token} ${filler}` });
  const expected = line.replaceAll(token, "[redacted:github-token]");
  const { text } = await redactLine(line);
  expect(text === expected).toBe(true);
});

test("a secret is found wherever it lies in a long string", async () => {
  for (const size of [300, 700, 1000, 32_768, 262_144, 1_048_576]) {
    for (const shift of [-45, -3, 0, 3]) {
      const line = entry(`${"a ".repeat((size + shift) >> 1)}${token} ${"b ".repeat(400)}`);
      expect((await redactLine(line)).text.includes(token)).toBe(false);
    }
  }
});
