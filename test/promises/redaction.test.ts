import { expect, test, vi } from "vitest";
import { CONTEXTS } from "../redaction/contexts.ts";
import { type Example, examples } from "../redaction/secrets.ts";
import { formsOf } from "../redaction/support.ts";
import { AgentDb } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { header, message } from "../support/transcripts.ts";

/** All of some seeds, in every context: some 2,000 lines for each seed. */
function planted(...seeds: number[]): {
  readonly secrets: readonly Example[];
  readonly lines: string[];
} {
  const secrets = seeds.flatMap(examples);
  const contexts = Object.values(CONTEXTS);
  return { secrets, lines: contexts.flatMap((at) => secrets.map(({ text }) => at(text))) };
}

const leftIn = (received: string, secrets: readonly Example[]): Example[] =>
  secrets.filter(({ secret }) => formsOf(secret).some((form) => received.includes(form)));

test("P83: of ten thousand credentials in sessions of both stores, none leaves", async () => {
  await using lab = await Lab.start();
  const [files, database] = [planted(11, 12, 13), planted(14, 15)];
  lab.session("main", "abc", [header("abc"), message(0), message(1), ...files.lines]);
  const db = new AgentDb(lab.stateDir, { agentId: "other" });
  db.addSession(
    "def",
    [header("def"), message(0), message(1), ...database.lines].map(parse),
    "agent:other:main",
  );
  db.db.close();
  const upload = { maxBytesPerRun: 1_000_000_000 };
  const report = await lab.run({ upload });
  expect(report.outcome).toBe("done");
  expect(files.lines.length + database.lines.length).toBeGreaterThan(10_000);
  expect(leftIn(lab.received("main", "abc"), files.secrets)).toEqual([]);
  expect(leftIn(lab.received("other", "def"), database.secrets)).toEqual([]);
  expect(report.lines.redacted).toBe(files.lines.length + database.lines.length);
  expect(report.lines.withheld).toBe(0);
  const found = Object.values(report.redactions).reduce((sum, one) => sum + one, 0);
  expect(found).toBeGreaterThanOrEqual(report.lines.redacted);
}, 60_000);

const parse = (line: string): unknown => JSON.parse(line);

test("P83: a line without a credential is sent byte for byte", async () => {
  await using lab = await Lab.start();
  const entries = [header("abc"), message(0), message(1, 'sha512-"é" \\u0041 token budget')];
  lab.session("main", "abc", entries);
  await lab.run({ filter: { minBytes: 0 } });
  expect(lab.received("main", "abc")).toBe(entries.map((entry) => `${entry}\n`).join(""));
});

test("P83: the API key never leaves in a body, nor what redact.values names", async () => {
  await using lab = await Lab.start();
  const value = "correct horse battery staple";
  lab.session("main", "abc", [
    header("abc"),
    message(0, `my key is ${API_KEY}`),
    message(1, `my phrase is ${value}, or ${JSON.stringify(value)}`),
  ]);
  vi.stubEnv("INFLUXION_TEST_PHRASE", value);
  const redact = { secrets: false, values: ["INFLUXION_TEST_PHRASE"] };
  await lab.serve({ redact, filter: { minBytes: 0 } });
  const received = lab.received("main", "abc");
  expect(received).toContain("my key is [redacted:value]");
  expect(received).toContain("my phrase is [redacted:value], or");
  expect(received).not.toContain(API_KEY);
  expect(received).not.toContain(value);
});

test("P83: nothing is sent while a value that must never leave is not known", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const said = await lab.serve({ redact: { values: ["INFLUXION_TEST_UNSET"] } });
  expect(lab.receivedSessions()).toEqual([]);
  expect(said).toContainEqual(
    expect.stringContaining("redact.values[0] is the name of a variable"),
  );
  expect(said.join()).not.toContain("INFLUXION_TEST_UNSET");
});

test.for([
  [{ disable: ["no-such-rule"] }, "redact.disable[0] is the id of no rule"],
  [{ patterns: [{ id: "slow", pattern: "(a+)+b" }] }, "redact.patterns[0] cannot be used"],
] as const)("P83: with %j nothing is sent, and a sentence says why", async ([redact, reason]) => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const said = await lab.sync({ overrides: { redact } });
  expect(said.code).toBe(1);
  expect(said.err).toContain(reason);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P84: at each content level, only that much of a session leaves", async () => {
  for (const content of ["no-tool-output", "text", "metadata"]) {
    await using lab = await Lab.start();
    const tool = { role: "toolResult", toolCallId: "t1", toolName: "exec", content: "TOOLWORD" };
    lab.session("main", "abc", [
      header("abc"),
      message(0, "SPOKENWORD by a person"),
      JSON.stringify({ type: "message", id: "t", parentId: "e0", message: tool }),
      "not JSON: RAWWORD",
      message(1, "an answer"),
    ]);
    await lab.run({ content });
    const received = lab.received("main", "abc");
    expect(received.trimEnd().split("\n")).toHaveLength(5);
    expect(received).not.toContain("TOOLWORD");
    expect(received).not.toContain("RAWWORD");
    expect(received.includes("SPOKENWORD")).toBe(content !== "metadata");
  }
});

test("P84: a line that is too long stays one of which only the length is sent", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [header("abc"), message(0), message(1), message(2, "x".repeat(9e6))]);
  await lab.run({ content: "metadata", upload: { maxBytesPerRun: 1e9 } });
  expect(lab.received("main", "abc")).toMatch(/"omitted":\{"reason":"line-too-long","bytes":\d+\}/);
});

test("P85: what is tried again after the config changed has another key, on disk before", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "cut", at: "after-body" } });
  const target = { apiUrl: server.url };
  await lab.run(target);
  await lab.run(target);
  await lab.run({ ...target, content: "metadata" });
  await lab.run({ ...target, content: "metadata" });
  const sent = server.requests.map(({ headers, lines }) => ({
    key: headers["idempotency-key"],
    content: headers["influxion-content"],
    redaction: headers["influxion-redaction"],
    body: lines?.join("\n"),
  }));
  await server.close();
  const of = (content: string) => sent.filter((one) => one.content === content);
  for (const content of ["full", "metadata"]) {
    expect(of(content).length).toBeGreaterThan(1);
    expect(new Set(of(content).map(({ key }) => key)).size).toBe(1);
    expect(new Set(of(content).map(({ body }) => body)).size).toBe(1);
  }
  expect(of("full")[0]?.key).not.toBe(of("metadata")[0]?.key);
  expect(new Set(sent.map(({ redaction }) => redaction)).size).toBe(1);
});

test("P85: another API key is no reason for another key of a part", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "cut", at: "after-body" } });
  for (const apiKey of ["sk-first-0123456789", "sk-second-0123456789"]) {
    await lab.run({ apiUrl: server.url, apiKey });
  }
  const keys = new Set(server.requests.map(({ headers }) => headers["idempotency-key"]));
  await server.close();
  expect(server.requests.length).toBeGreaterThan(1);
  expect(keys.size).toBe(1);
});
