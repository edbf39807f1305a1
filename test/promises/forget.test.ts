import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { knownBytes, Ledger } from "../../src/ledger/ledger.ts";
import { MISSING_EVERY_MS, MISSING_TIMES } from "../../src/ledger/target.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { confirmed, deletionsOf, startDeletingServer } from "../support/deleting-server.ts";
import { type Behaviour, type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { header, lines, message, session, write } from "../support/transcripts.ts";

let lab: Lab;
let server: FaultServer | undefined;

beforeEach(async () => {
  lab = await Lab.start();
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  await lab[Symbol.asyncDispose]();
});

/** An API for this test alone, as the config has it, and how it answers deletions. */
async function api(first: Behaviour = confirmed(1), ...others: Behaviour[]) {
  server = await startDeletingServer(first, ...others);
  return { server, overrides: { apiUrl: server.url } };
}

const skipped = async (): Promise<Record<string, number>> =>
  JSON.parse((await lab.status({ json: true })).out).counts.skipped;

test("P79: a forgotten session is not sent when it grows, by no kind of run", async () => {
  const path = lab.session("main", "abc");
  lab.session("main", "def");
  await lab.run();
  expect((await lab.forget({ session: ["abc"] })).code).toBe(0);
  lab.append(path, [message(9)]);
  await lab.run();
  await lab.sync();
  await lab.sync({ all: true });
  expect(lab.receiver.stats().parts).toBe(2);
  expect(await skipped()).toEqual({ forget: 1 });
  expect((await lab.sync({ dryRun: true })).out).toContain("would send 0 sessions");
});

test("P79: a forgotten session is not sent when it was rewritten, reset or made anew", async () => {
  const path = lab.session("main", "abc");
  await lab.run();
  await lab.forget({ session: ["abc"] });
  write(path, lines([header("abc"), message(1, "other ".repeat(200)), message(2)]));
  await lab.run();
  renameSync(path, `${path}.reset.2026-11-22T10-03-36.159Z`);
  lab.session("main", "abc", session("abc", 6));
  await lab.run();
  rmSync(path);
  await lab.run();
  lab.session("main", "abc", session("abc", 8));
  await lab.sync({ all: true });
  expect(lab.receiver.stats().parts).toBe(1);
  expect(await skipped()).toEqual({ forget: 1 });
});

test("P79: a forgotten session that moves into a database is not sent from there", async () => {
  const path = lab.session("main", "abc");
  await lab.run();
  await lab.forget({ session: ["abc"] });
  rmSync(path);
  const database = new AgentDb(lab.stateDir);
  database.addSession("abc", conversation("abc", 6));
  await lab.run();
  database.close();
  expect(lab.receiver.stats().parts).toBe(1);
  expect(await skipped()).toEqual({ forget: 1 });
});

test("P79: a session is still forgotten when it was missing for as long as others are remembered", async () => {
  const path = lab.session("main", "abc");
  lab.session("main", "there");
  await lab.run();
  await lab.forget({ session: ["abc"] });
  rmSync(path);
  for (let time = 0; time <= MISSING_TIMES; time++) {
    lab.clockOffset += MISSING_EVERY_MS + 1;
    await lab.run();
  }
  lab.session("main", "abc");
  await lab.run();
  expect(lab.receiver.stats().parts).toBe(2);
  expect(await skipped()).toEqual({ forget: 1 });
});

test("P79: a forgotten session in a folder that agents share is not sent as another agent's when no list has it any more", async () => {
  const dir = join(lab.dir, "shared");
  lab.hostConfig = {
    session: { store: join(dir, "sessions.json") },
    agents: { list: [{ id: "main", default: true }, { id: "ops" }] },
  };
  write(join(dir, "abc.jsonl"), lines(session("abc")));
  const list = (sessionId: string): unknown =>
    write(join(dir, "sessions.json"), JSON.stringify({ "agent:ops:main": { sessionId } }));
  list("abc");
  expect((await lab.forget({ session: ["ops/abc"] })).code).toBe(0);
  list("later");
  await lab.run();
  expect(lab.receivedSessions()).toEqual([]);
  expect(await skipped()).toEqual({ forget: 1 });
  list("abc");
  await lab.forget({ session: ["ops/abc"], undo: true });
  list("later");
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P79: what was planned and not confirmed of a forgotten session is not sent any more", async () => {
  server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 503 } : undefined),
  });
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  expect((await lab.run(overrides)).outcome).toBe("unreachable");
  await lab.forget({ session: ["abc"], overrides });
  await lab.sync({ all: true, overrides });
  expect(server.requests).toHaveLength(1);
});

test("P79: of a forgotten session the ledger keeps its name, the time and a number", async () => {
  lab.session("main", "abc");
  await lab.run();
  await lab.forget({ session: ["abc"] });
  const record = await lab.record("main", "abc");
  expect(Object.keys(record ?? {}).sort()).toEqual([
    "forgottenAt",
    "generations",
    "sent",
    "streams",
  ]);
  expect(record?.streams).toEqual({});
});

test("how large a forgotten session is in a database is not asked for", async () => {
  const host = new AgentDb(lab.stateDir);
  host.addSession("abc", conversation("abc", 6));
  await lab.forget({ session: ["abc"] });
  const ledger = await Ledger.open({ stateDir: lab.stateDir, now: lab.now, readOnly: true });
  const bytesOf = knownBytes(ledger.target(lab.config()));
  host.close();
  const stream = { agentId: "main", source: "sqlite", signature: "" };
  expect(bytesOf({ ...stream, sessionId: "abc" })).toBe(0);
  expect(bytesOf({ ...stream, sessionId: "def" })).toBeUndefined();
});

test("P79: with --undo a session goes again from its beginning, above all that was sent of it", async () => {
  const path = lab.session("main", "abc");
  await lab.run();
  const before = (await lab.record("main", "abc"))?.streams["abc.jsonl"]?.generation ?? 0;
  await lab.forget({ session: ["abc"] });
  lab.append(path, [message(9)]);
  // Also when the clock was set back since.
  lab.clockOffset = -1_000_000;
  const { code, out } = await lab.forget({ session: ["abc"], undo: true });
  expect({ code, out }).toEqual({
    code: 0,
    out: "1 session goes again with the next upload, from its beginning.\n",
  });
  await lab.run();
  expect(lab.received("main", "abc").trim().split("\n")).toHaveLength(6);
  const after = (await lab.record("main", "abc"))?.streams["abc.jsonl"]?.generation ?? 0;
  expect(after).toBeGreaterThan(before);
});

test("P80: --remote asks the API to delete the session, up to what was sent of it", async () => {
  const { server, overrides } = await api();
  lab.session("main", "abc");
  await lab.run(overrides);
  const sent = Number(server.requests[0]?.headers["influxion-generation"]);
  const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
  expect(code).toBe(0);
  expect(out).toContain("The API deleted what it had of 1 session.");
  const [deletion, ...others] = deletionsOf(server);
  expect(others).toEqual([]);
  expect(deletion).toMatchObject({
    deploymentId: "lab",
    projectId: "project",
    scope: "session",
    agentId: "main",
    sessionId: "abc",
  });
  expect(Number(deletion?.through)).toBeGreaterThanOrEqual(sent);
  const request = server.requests.at(-1);
  expect(request?.headers.authorization).toBe(`Bearer ${API_KEY}`);
  expect(request?.wireBytes).toBe(0);
  expect(request?.path.split("?")[0]).toBe("/v1/openclaw/ingest/sessions");
});

test("P80: what is forgotten is on disk before the API is asked", async () => {
  let isAsked: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  server = await startFaultServer({
    script: ({ method }) => {
      if (method !== "DELETE") return undefined;
      isAsked();
      return { kind: "stall" };
    },
  });
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  await lab.run(overrides);
  const abort = new AbortController();
  const { signal } = abort;
  const forgetting = lab.forget({ session: ["abc"], remote: true, overrides, signal });
  await asked;
  const status = JSON.parse((await lab.status({ json: true, overrides })).out);
  expect(status).toMatchObject({
    counts: { skipped: { forget: 1 } },
    deletions: [{ agentId: "main", sessionId: "abc" }],
  });
  abort.abort(new Error("interrupted"));
  expect((await forgetting).code).toBe(130);
});

test("P80: a deletion that did not get through is asked for by the next run, and once", async () => {
  const { server, overrides } = await api({ kind: "cut", at: "before-body" }, confirmed(1));
  lab.session("main", "abc");
  await lab.run(overrides);
  const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
  expect(code).toBe(3);
  expect(out).toMatch(/Not deleted by the API: .*(UND_ERR_SOCKET|ECONNRESET)/);
  expect((await lab.status({ overrides })).out).toMatch(/1 deletion is not confirmed by the API/);
  expect((await lab.sync({ overrides })).out).toContain("The API deleted what it had of 1 session");
  await lab.sync({ overrides });
  expect(deletionsOf(server)).toHaveLength(2);
});

test("P80: an interval asks again after an hour, and less often each time", async () => {
  const { server, overrides } = await api({ kind: "status", status: 503 });
  lab.session("main", "abc");
  await lab.run(overrides);
  await lab.forget({ session: ["abc"], remote: true, overrides });
  const asked: number[] = [];
  for (let hour = 0; hour < 8; hour++) {
    const report = await lab.run(overrides);
    expect(report).toMatchObject({
      outcome: "done",
      settled: false,
      problems: [{ code: "DELETION_PENDING" }],
    });
    asked.push(deletionsOf(server).length);
    lab.clockOffset += 3_600_001;
  }
  expect(asked).toEqual([1, 2, 2, 3, 3, 3, 3, 4]);
});

test("P41: what the API asks to wait in an answer to a deletion, the interval waits", async () => {
  const { server, overrides } = await api({
    kind: "status",
    status: 429,
    headers: { "retry-after": "7200" },
  });
  lab.session("main", "abc");
  await lab.run(overrides);
  await lab.forget({ session: ["abc"], remote: true, overrides });
  lab.session("main", "def");
  lab.clockOffset += 7_000_000;
  expect(await lab.run(overrides)).toMatchObject({ outcome: "unreachable", sent: { parts: 0 } });
  expect(server.requests).toHaveLength(2);
  lab.clockOffset += 300_000;
  expect((await lab.run(overrides)).sent.parts).toBe(1);
});

test.for([
  [404, '{"error":{"code":"NOT_FOUND"}}'],
  [404, "<html>not found</html>"],
  [405, "{}"],
  [501, ""],
] as const)(
  "P81: an API that answers %i %s cannot delete, and is reported as such",
  async ([status, body]) => {
    const { overrides } = await api({ kind: "status", status, body });
    lab.session("main", "abc");
    await lab.run(overrides);
    const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
    expect(code).toBe(3);
    expect(out).toContain(
      `Not deleted by the API: answered ${status}: it does not know how to delete sessions`,
    );
    // What is forgotten stays so.
    expect((await lab.run(overrides)).sent.parts).toBe(0);
  },
);

test.for([
  ["a web page", { kind: "html" }],
  ["a receipt for a part", { kind: "accept" }],
  ["204", { kind: "status", status: 204 }],
  ["a list", { kind: "status", status: 200, body: "[]" }],
  ["a count that is none", { kind: "status", status: 200, body: '{"deleted":"all"}' }],
  ["half an answer", { kind: "cut", at: "in-answer" }],
] as const)("P81: %s confirms no deletion", async ([, behaviour]) => {
  const { overrides } = await api(behaviour);
  lab.session("main", "abc");
  await lab.run(overrides);
  const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
  expect(code).toBe(3);
  expect(out).toContain("Not deleted by the API");
});

test.for([404, 410])(
  "P81: %i that counts none is the confirmation that nothing is there",
  async (status) => {
    const { overrides } = await api({ kind: "status", status, body: '{"deleted":0}' });
    lab.session("main", "abc");
    await lab.run(overrides);
    const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain("The API deleted what it had of 0 sessions.");
  },
);

test("P81: what the API has not confirmed is shown by status, with its answer, until it is", async () => {
  const { overrides } = await api({ kind: "status", status: 405 }, confirmed(1));
  lab.session("main", "abc");
  await lab.run(overrides);
  await lab.forget({ session: ["abc"], remote: true, overrides });
  expect((await lab.status({ overrides })).out).toContain(
    "1 deletion is not confirmed by the API: answered 405: it does not know how to delete sessions",
  );
  await lab.sync({ overrides });
  expect((await lab.status({ overrides })).out).not.toContain("not confirmed");
});
