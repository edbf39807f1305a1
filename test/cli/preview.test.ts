import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { preview } from "../../src/cli/preview.ts";
import { AgentDb } from "../support/agent-db.ts";
import { Lab, plainSecrets } from "../support/lab.ts";
import { header, message, sessionPath, write } from "../support/transcripts.ts";

const TOKEN = "ghp_a8Fk2LmQ9xZr4TvBn7WcY1sHd6JpE3gUo5Kt";

const linesOf = (text: string): string[] => text.split("\n").slice(0, -1);

/** Text of a terminal without its colours, and with all else that it would act on. */
const colourless = (text: string): string =>
  text
    .split("\u001b[")
    .map((piece, n) => (n === 0 ? piece : piece.replace(/^(?:\d+m|)/, (code) => code && "")))
    .join("");

test("P89: on a terminal nothing of a transcript is more than text, and long texts are folded", async () => {
  await using lab = await Lab.start();
  const hostile = "bell \u0007 esc \u001b[2J c1 \u009b31m bidi \u202e zero \u200b line \u2028 end";
  lab.session("main", "abc", [header("abc"), message(0, hostile), message(1, "w".repeat(5000))]);
  const { out } = await lab.preview({ isTTY: true, overrides: { filter: { minBytes: 0 } } });
  const text = colourless(out);
  expect(text).not.toMatch(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/u);
  expect(text).toContain(
    "bell \\u0007 esc \\u001b[2J c1 \\u009b31m bidi \\u202e zero \\u200b line \\u2028 end",
  );
  expect(text).toContain(`${"w".repeat(200)}… (4,800 more)"`);
  expect(out.length).toBeLessThan(3000);
});

test("P89: what is redacted stands out, also where it is folded away, and can be shown masked on a terminal only", async () => {
  await using lab = await Lab.start();
  const folded = `${"v ".repeat(150)}${TOKEN}`;
  lab.session("main", "abc", [header("abc"), message(0, `use ${TOKEN} ok`), message(1, folded)]);
  const plain = await lab.preview({ isTTY: true });
  expect(plain.out).toContain("\u001b[33m[redacted:github-token]\u001b");
  expect(colourless(plain.out)).toContain("more, 1 redacted: github-token)");
  expect(colourless(plain.out)).toContain("2 credentials redacted in 2 lines: github-token 2.");
  const masked = await lab.preview({ isTTY: true, showRedacted: true });
  expect(colourless(masked.out)).toContain("use [redacted:github-token ghp_…Kt] ok");
  for (const { out } of [plain, masked]) expect(out).not.toContain(TOKEN.slice(4, 12));
  const piped = await lab.preview({ showRedacted: true });
  expect(piped).toMatchObject({ code: 1, out: "" });
  const json = await lab.preview({ isTTY: true, showRedacted: true, json: true });
  expect(json).toMatchObject({ code: 1, out: "" });
});

test("a marker that somebody wrote into a transcript does not stand out", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), message(0, "[redacted:jwt]"), message(1, TOKEN)]);
  const overrides = { filter: { minBytes: 0 } };
  const { out } = await lab.preview({ isTTY: true, overrides });
  expect(out.split("\u001b[33m")).toHaveLength(2);
  expect(out).toContain('"[redacted:jwt]"');
});

test("each session has a header with its names, where it goes on, and its content level", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  lab.append(path, [message(8)]);
  const index = { "agent:main:main": { sessionId: "abc", label: "My \u001b[2Jchat" } };
  write(sessionPath(lab.stateDir, "main", "sessions.json"), JSON.stringify(index));
  const { out } = await lab.preview({ overrides: { content: { level: "text", images: false } } });
  expect(out).toMatch(/^main\/abc \(agent:main:main, main, My \[2Jchat\)\n/);
  expect(out).toMatch(/ {2}\d+ B of transcript, from line 5; content level text, no-images\n/);
  expect(out).toMatch(/\n {4}5 {2}message user +\{/);
  expect(out).toContain("1 line of 1 session would be sent. Nothing was sent.");
});

test("--session takes an id, a key, a label or agent/id, in both stores, and --agent an agent", async () => {
  await using lab = await Lab.start();
  for (const id of ["abc", "abd"]) lab.session("main", id);
  const index = { "agent:main:work": { sessionId: "abc", label: "My chat" } };
  write(sessionPath(lab.stateDir, "main", "sessions.json"), JSON.stringify(index));
  const db = new AgentDb(lab.stateDir, { agentId: "other" });
  const events = [header("def"), message(0), message(1), message(2), message(3)];
  db.addSession(
    "def",
    events.map((line) => JSON.parse(line)),
    "agent:other:main",
  );
  db.db.close();
  const shown = async (flags: object): Promise<string[]> => {
    const { out } = await lab.preview({ json: true, ...flags });
    return [...new Set(linesOf(out).map((line) => JSON.parse(line).sessionId as string))].sort();
  };
  for (const session of ["abc", "agent:main:work", "my CHAT", "main/abc"]) {
    expect(await shown({ session }), session).toEqual(["abc"]);
  }
  expect(await shown({ session: "agent:other:main" })).toEqual(["def"]);
  expect(await shown({ agent: "main" })).toEqual(["abc", "abd"]);
  expect(await shown({})).toEqual(["abc", "abd", "def"]);
});

test("--session says why nothing of a session would be sent, and an unknown one is a usage error", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("main", "short", [header("short"), message(0, "x".repeat(600))]);
  await lab.run();
  const said = (session: string) => lab.preview({ session });
  expect(await said("abc")).toMatchObject({
    code: 0,
    out: "Nothing would be sent.\nmain/abc: all that is complete of it was sent before.\n",
  });
  expect((await said("short")).out).toContain("main/short: skipped by filter.minMessages.");
  const unknown = await said("nope");
  expect(unknown).toMatchObject({ code: 1, out: "" });
  expect(unknown.err).toContain('no session "nope"');
});

test("--limit counts lines, in words and in JSON; on a terminal it is 50 by itself", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), ...Array.from({ length: 79 }, (_, n) => message(n))]);
  const all = (await lab.preview({ json: true })).out;
  expect(linesOf(all)).toHaveLength(80);
  const three = (await lab.preview({ json: true, limit: "3" })).out;
  expect(linesOf(three).map((line) => JSON.parse(line).lineIndex)).toEqual([0, 1, 2]);
  const rows = async (flags: object): Promise<number> =>
    linesOf((await lab.preview(flags)).out).filter((line) => /^ {3,4}\d+ {2}\w/.test(line)).length;
  expect(await rows({ isTTY: true })).toBe(50);
  expect(await rows({ isTTY: true, limit: "all" })).toBe(80);
  expect(await rows({})).toBe(80);
  expect(await rows({ limit: "7" })).toBe(7);
  expect((await lab.preview({ limit: "7" })).out).toMatch(
    /These are the first 7 lines of \d+ kB of 1 session that would be sent; "--limit all" shows the rest/,
  );
  for (const limit of ["0", "-1", "x", "1.5", ""]) {
    expect(await lab.preview({ limit }), limit).toMatchObject({ code: 1, out: "" });
  }
});

test("a key that cannot be resolved is said in one line; a value that cannot is a failure, as for an upload", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const apiKey = { source: "env", provider: "default", id: "INFLUXION_TEST_UNSET" };
  const { resolveSecrets } = await import("../../src/openclaw/host.ts");
  const secrets = (config: Parameters<typeof resolveSecrets>[0], needsKey?: boolean) =>
    resolveSecrets(config, {} as never, needsKey);
  const keyless = await lab.preview({ json: true, secrets, overrides: { apiKey } });
  expect(keyless.code).toBe(0);
  expect(linesOf(keyless.err)).toHaveLength(1);
  expect(keyless.err).toContain("The API key is not looked for");
  expect(linesOf(keyless.out)).toHaveLength(5);
  const overrides = { redact: { values: ["INFLUXION_TEST_UNSET"] } };
  const valueless = await lab.preview({ json: true, secrets, overrides });
  expect(valueless).toMatchObject({ code: 1, out: "" });
  expect(valueless.err).toContain("redact.values[0] is the name of a variable");
});

test("other mistakes in the config are told, and nothing is shown", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out, err } = await lab.preview({ json: true, input: { content: "everything" } });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("Nothing can be shown: the config has to be corrected.");
  expect(err).toContain("at content");
  expect(err).not.toContain("at deploymentId");
});

test("preview ends when nobody reads its output any more", async () => {
  await using lab = await Lab.start();
  const entries = Array.from({ length: 3000 }, (_, n) => message(n, "z".repeat(900)));
  lab.session("main", "abc", [header("abc"), ...entries]);
  const out = new PassThrough();
  out.once("data", () => out.destroy(new Error("EPIPE")));
  const code = await preview({
    setup: {
      stateDir: lab.stateDir,
      config: { ok: true, config: lab.config(), warnings: [] },
      missing: [],
    },
    flags: { json: true },
    context: { signal: new AbortController().signal, now: lab.now },
    secrets: plainSecrets,
    terminal: { out, err: new PassThrough() },
  });
  expect(code).toBe(0);
});
