import { readFileSync, renameSync } from "node:fs";
import { expect, test } from "vitest";
import type { Finding } from "../../src/run/find-secrets.ts";
import { CONTEXTS } from "../redaction/contexts.ts";
import { examples } from "../redaction/secrets.ts";
import { formsOf } from "../redaction/support.ts";
import { AgentDb } from "../support/agent-db.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { networkUse } from "../support/network-use.ts";
import { snapshot } from "../support/snapshot.ts";
import { header, message, sessionPath, write } from "../support/transcripts.ts";

interface Document {
  readonly findings: readonly Finding[];
  readonly rules: Record<string, number>;
  readonly excluded: unknown;
  readonly exitCode: number;
}

async function scanned(lab: Lab, options: Parameters<Lab["scan"]>[0] = {}): Promise<Document> {
  const { code, out } = await lab.scan({ json: true, ...options });
  const document = JSON.parse(out) as Document;
  expect(document.exitCode).toBe(code);
  return document;
}

/** `line 3 sent` of each finding. */
const placesOf = ({ findings }: Document): string[] =>
  findings.map(({ lineIndex, sent }) => `line ${lineIndex} ${sent}`);

const secrets = examples(31);
const contexts = Object.values(CONTEXTS);
const planted = secrets.map(({ text }, n) => contexts[n % contexts.length]?.(text) ?? "");

const tool = (text: string): string => CONTEXTS.bare?.(text) ?? "";
const [first, second, third] = secrets.map(({ text }) => tool(text)) as [string, string, string];

test("P90: scan names agent, session, line and rule of what an upload would redact, in both stores", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), message(0), "", message(1), ...planted]);
  const db = new AgentDb(lab.stateDir, { agentId: "other" });
  const events = [header("def"), message(0), message(1), ...planted].map((line) =>
    JSON.parse(line),
  );
  db.addSession("def", events, "agent:other:main");
  db.db.close();
  const document = await scanned(lab);
  for (const [agentId, sessionId] of [
    ["main", "abc"],
    ["other", "def"],
  ]) {
    const own = document.findings.filter((one) => one.agentId === agentId);
    expect(new Set(own.map((one) => one.sessionId))).toEqual(new Set([sessionId]));
    const lines = [...new Set(own.map(({ lineIndex }) => lineIndex))];
    expect(lines).toEqual(planted.map((_, n) => n + 3));
  }
  expect(document.findings.every(({ sent }) => sent === false)).toBe(true);
  const report = await lab.run({ upload: { maxBytesPerRun: 1e9 } });
  expect(document.rules).toEqual(report.redactions);
});

test("P90: scan shows of a credential a few characters, and never the whole", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), message(0, API_KEY), message(1), ...planted]);
  for (const flags of [{}, { json: true }]) {
    const { code, out } = await lab.scan(flags);
    expect(code).toBe(4);
    const left = secrets.filter(({ secret }) => formsOf(secret).some((form) => out.includes(form)));
    expect(left).toEqual([]);
    expect(out).not.toContain(API_KEY);
    expect(out).toContain(`${API_KEY.slice(0, 4)}…${API_KEY.slice(-2)}`);
  }
});

test("P90: scan tells by position which of the lines were sent, also after a reset renamed the file", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [header("abc"), message(0), message(1), first]);
  expect(placesOf(await scanned(lab))).toEqual(["line 3 false"]);
  await lab.run();
  lab.append(path, [second]);
  expect(placesOf(await scanned(lab))).toEqual(["line 3 true", "line 4 false"]);
  renameSync(path, sessionPath(lab.stateDir, "main", "abc.jsonl.reset.2026-11-22T09-56-39.719Z"));
  lab.session("main", "abc", [header("abc"), message(5), third]);
  expect(placesOf(await scanned(lab))).toEqual(["line 3 true", "line 4 false", "line 2 false"]);
  const { out } = await lab.scan();
  expect(out).toMatch(/line 3 +sent +\S+ +\S/);
  expect(out).toMatch(/line 4 +not sent +\S+ +\S/);
});

test("P90: of what was rewritten since it was sent, and of what has no destination, scan does not say that it was not sent", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [header("abc"), message(0), message(1), first]);
  await lab.run();
  expect(placesOf(await scanned(lab, { input: {} }))).toEqual(["line 3 null"]);
  write(path, readFileSync(path, "utf8").replace("message 0", "massage 0"));
  expect(placesOf(await scanned(lab))).toEqual(["line 3 null"]);
  expect((await lab.scan()).out).toContain("perhaps sent");
});

test("P90: scan says how much the filters exclude, and reads it with --all", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), first]);
  lab.session("main", "tmp-1", [header("tmp-1"), second]);
  lab.session("ops", "def", [header("def"), third]);
  const filter = { agents: { deny: ["ops"] }, sessions: { deny: ["tmp-*"] } };
  const sessionsOf = ({ findings }: Document) => findings.map(({ sessionId }) => sessionId);
  const some = await scanned(lab, { overrides: { filter } });
  expect(sessionsOf(some)).toEqual(["abc"]);
  expect(some.excluded).toEqual({ agents: 1, sessions: 1 });
  const said = (await lab.scan({ overrides: { filter } })).out;
  expect(said).toContain(
    '1 agent and 1 session excluded by filters were not searched; "--all" does.',
  );
  expect(sessionsOf(await scanned(lab, { overrides: { filter }, all: true }))).toEqual([
    "abc",
    "tmp-1",
    "def",
  ]);
});

test("P90: scan finds at every content level what is there, since lines may be sent at another one", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), first]);
  expect(placesOf(await scanned(lab, { overrides: { content: "metadata" } }))).toEqual([
    "line 1 false",
  ]);
});

test("P88: scan reads no network and changes nothing, before an upload and after it", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [header("abc"), message(0), message(1), first]);
  for (let round = 0; round < 2; round++) {
    const before = snapshot(lab.stateDir);
    const used = await networkUse(async () => {
      expect((await lab.scan()).code).toBe(4);
      expect((await lab.scan({ json: true, all: true, input: {} })).code).toBe(4);
    });
    expect(used).toEqual([]);
    expect(snapshot(lab.stateDir)).toBe(before);
    await lab.run();
    lab.append(path, [second]);
  }
});

test("scan ends with 0 where nothing is found, 2 where something cannot be read, and 1 for a config that is wrong", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  expect(await lab.scan()).toEqual({
    code: 0,
    err: "",
    out: "No credentials were found.\nSearched 5 lines of 1 session.\n",
  });
  write(
    sessionPath(lab.stateDir, "ops", "").replace(/\/$/, ""),
    "a file where the folder should be",
  );
  const failed = await lab.scan();
  expect(failed.code).toBe(2);
  expect(failed.out).toMatch(/^Failed: ops: .+ENOTDIR/m);
  const wrong = await lab.scan({ json: true, input: { content: "nothing" } });
  expect(wrong.code).toBe(1);
  expect(JSON.parse(wrong.out)).toMatchObject({ findings: [], outcome: "not-configured" });
  const unknown = await lab.scan({ json: true, agent: "mian" });
  expect(unknown.code).toBe(1);
  expect(JSON.parse(unknown.out)).toMatchObject({ error: { code: "NO_SUCH_AGENT" } });
});
