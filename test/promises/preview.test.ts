import { expect, test } from "vitest";
import { Ledger } from "../../src/ledger/ledger.ts";
import { realLines } from "../content/support.ts";
import { CONTEXTS } from "../redaction/contexts.ts";
import { type Example, examples } from "../redaction/secrets.ts";
import { formsOf } from "../redaction/support.ts";
import { AgentDb } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { networkUse } from "../support/network-use.ts";
import { snapshot } from "../support/snapshot.ts";
import { header, message, session } from "../support/transcripts.ts";

const LEVELS = [
  "full",
  "no-tool-output",
  "text",
  "metadata",
  { level: "full", images: false },
] as const;

/** Credentials of every rule, in turn in each place that a line has for them. */
function planted(seed: number): { readonly secrets: readonly Example[]; readonly lines: string[] } {
  const contexts = Object.values(CONTEXTS);
  const secrets = examples(seed);
  const lines = secrets.map(({ text }, n) => contexts[n % contexts.length]?.(text) ?? "");
  return { secrets, lines };
}

/** A session in each kind of store, with what real hosts wrote, credentials, and what is no entry. */
function fill(lab: Lab): { readonly secrets: readonly Example[] } {
  const [files, database] = [planted(21), planted(22)];
  lab.session("main", "abc", [
    header("abc"),
    ...realLines(),
    ...files.lines,
    `not JSON, but ${API_KEY}`,
    "",
    '{"no":"type"}',
    message(1, "y".repeat(9_000_000)),
    message(2, "the last one"),
  ]);
  const db = new AgentDb(lab.stateDir, { agentId: "other" });
  const entries = [header("def"), ...realLines(), ...database.lines];
  db.addSession("def", entries.map(parse), "agent:other:main");
  db.db.close();
  return { secrets: [...files.secrets, ...database.secrets] };
}

const parse = (line: string): unknown => JSON.parse(line);

const upload = { maxBytesPerRun: 1e9 };

const linesOf = (text: string): string[] => text.split("\n").slice(0, -1);

const payloadsOf = (text: string, sessionId: string): string =>
  linesOf(text)
    .filter((line) => JSON.parse(line).sessionId === sessionId)
    .map((line) => `${line.slice(line.indexOf(',"payload":') + 11, -1)}\n`)
    .join("");

const withoutInstant = (line: string): string =>
  line.replace(/"capturedAt":"[^"]*"/, '"capturedAt":""');

test.for(LEVELS)(
  "P87: preview --json prints what the receiver then stores, at content %j",
  async (content) => {
    await using lab = await Lab.start();
    fill(lab);
    const overrides = { content, upload };
    const { code, out, err } = await lab.preview({ json: true, overrides });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    await lab.run(overrides);
    for (const [agentId, sessionId] of [
      ["main", "abc"],
      ["other", "def"],
    ] as const) {
      const stored = lab.received(agentId, sessionId);
      expect(linesOf(stored).length).toBeGreaterThan(250);
      expect(payloadsOf(out, sessionId)).toBe(stored);
    }
  },
);

test.for(LEVELS)(
  "P87: preview --json prints the very bodies of the parts, at content %j",
  async (content) => {
    await using lab = await Lab.start();
    fill(lab);
    const server = await startFaultServer({ default: { kind: "accept" } });
    const overrides = { content, upload: { ...upload, concurrency: 1 }, apiUrl: server.url };
    const { out } = await lab.preview({ json: true, overrides });
    await lab.run(overrides);
    const sent = server.requests.flatMap(({ lines }) => lines ?? []);
    await server.close();
    expect(linesOf(out).map(withoutInstant)).toEqual(sent.map(withoutInstant));
  },
);

test("P87: what was planned and has not arrived is shown as it was planned, and the rest behind it", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", session("abc", 30));
  const server = await startFaultServer({
    script: ({ index }) => (index < 1 ? { kind: "status", status: 503 } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { maxBytesPerRun: 2000, concurrency: 1 } };
  await lab.run(overrides);
  lab.append(path, [message(40), message(41)]);
  const { out } = await lab.preview({ json: true, overrides });
  await lab.sync({ overrides, all: true });
  const sent = server.requests.slice(1).flatMap(({ lines }) => lines ?? []);
  await server.close();
  expect(linesOf(out)).toHaveLength(33);
  expect(linesOf(out)[0]).toBe(sent[0]);
  expect(linesOf(out).map(withoutInstant)).toEqual(sent.map(withoutInstant));
});

test("P87: what a database continues is shown behind what is still in the file, as it is sent", async () => {
  await using lab = await Lab.start();
  const entries = session("abc");
  lab.session("main", "abc", entries);
  const db = new AgentDb(lab.stateDir);
  db.addSession("abc", [...entries, message(40), message(41)].map(parse));
  db.db.close();
  const { out } = await lab.preview({ json: true });
  await lab.sync({ all: true });
  expect(linesOf(out)).toHaveLength(7);
  expect(payloadsOf(out, "abc")).toBe(lab.received("main", "abc"));
});

test("P87: without key and project the same lines are shown, with placeholders in their envelope", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out, err } = await lab.preview({ json: true, input: {} });
  expect(code).toBe(0);
  expect(err).toBe(
    'Not configured yet: apiKey, deploymentId, projectId; "<deploymentId>" and "<projectId>" stand for what is missing.\n',
  );
  expect(JSON.parse(linesOf(out)[0] ?? "")).toMatchObject({
    deploymentId: "<deploymentId>",
    projectId: "<projectId>",
  });
  await lab.run();
  expect(payloadsOf(out, "abc")).toBe(lab.received("main", "abc"));
});

test("P88: a ledger that was opened for reading only is never written", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  const before = snapshot(lab.stateDir);
  const ledger = await Ledger.open({ stateDir: lab.stateDir, now: lab.now, readOnly: true });
  ledger.target(lab.config()).forget("main/abc");
  await ledger.save();
  await ledger.saveSoon();
  expect(snapshot(lab.stateDir)).toBe(before);
});

test("P88: preview and dry run read no network and change nothing, before an upload and after it", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), message(0, `key ${API_KEY}`), message(1)]);
  const path = lab.session("main", "def");
  for (const round of [1, 2]) {
    const before = snapshot(lab.stateDir);
    const used = await networkUse(async () => {
      for (const flags of [{}, { json: true }, { session: "abc" }, { limit: "1" }]) {
        expect((await lab.preview(flags)).code).toBe(0);
      }
      expect((await lab.sync({ dryRun: true, all: true })).code).toBe(0);
    });
    expect(used).toEqual([]);
    expect(snapshot(lab.stateDir)).toBe(before);
    if (round === 1) await lab.run({ upload: { maxFilesPerRun: 1 } });
    lab.append(path, [message(50)]);
  }
});

test("P89: of thousands of credentials none is shown, neither by preview nor by the dry run", async () => {
  await using lab = await Lab.start();
  const { secrets } = fill(lab);
  const said = [
    await lab.preview({ overrides: { upload } }),
    await lab.preview({ json: true, overrides: { upload } }),
    await lab.sync({ dryRun: true, overrides: { upload } }),
  ].map(({ out, err }) => out + err);
  for (const text of said) {
    const left = secrets.filter(({ secret }) =>
      formsOf(secret).some((form) => text.includes(form)),
    );
    expect(left).toEqual([]);
    expect(text).not.toContain(API_KEY);
  }
});

test("P91: the dry run counts by rule what the run then redacts", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const overrides = { upload };
  const dry = JSON.parse((await lab.sync({ dryRun: true, json: true, overrides })).out);
  const said = (await lab.sync({ dryRun: true, overrides })).out;
  const report = await lab.run(overrides);
  expect(dry.redactions).toEqual(report.redactions);
  expect(Object.keys(dry.redactions).length).toBeGreaterThan(80);
  expect(said).toContain(`redacted in ${report.lines.redacted} lines: `);
});
