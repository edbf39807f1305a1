import { readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Ledger } from "../../src/ledger/ledger.ts";
import { IdleCache } from "../../src/run/idle-cache.ts";
import { run } from "../../src/run/run.ts";
import { SESSION_KINDS } from "../../src/shared/session-kind.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import {
  header,
  lines,
  message,
  rest,
  session,
  sessionPath,
  touch,
  write,
} from "../support/transcripts.ts";

type Filter = Record<string, unknown>;

/** The host's list of the sessions in a folder. */
function sessionsJson(lab: Lab, entries: Record<string, unknown>): string {
  return write(sessionPath(lab.stateDir, "main", "sessions.json"), JSON.stringify(entries));
}

/** Like a session's first record in OpenClaw's debug recorder. */
function recording(lab: Lab, sessionId: string, sessionKey: string): string {
  const record = { traceSchema: "openclaw-trajectory", type: "session.started", sessionKey };
  const path = sessionPath(lab.stateDir, "main", `${sessionId}.trajectory.jsonl`);
  return write(path, `${JSON.stringify(record)}\n`);
}

function databaseOf(lab: Lab, agentId: string): AgentDb {
  const agent = new AgentDb(lab.stateDir, { agentId });
  onTestFinished(() => agent.close());
  return agent;
}

/** A part of a session before a reset, as the host renames it. */
function reset(path: string): string {
  const archive = `${path}.reset.2026-11-22T09-56-39.719Z`;
  renameSync(path, archive);
  return archive;
}

const counts = async (lab: Lab, filter: Filter): Promise<unknown> =>
  JSON.parse((await lab.status({ overrides: { filter }, json: true })).out).counts;

test.for(["work-1", "agent:*:work-x", "work-x", "WORK label"])(
  "P75: sessions.allow %j lets only what it names go, of both kinds of store",
  async (pattern) => {
    await using lab = await Lab.start();
    for (const id of ["work-1", "private"]) lab.session("main", id);
    sessionsJson(lab, {
      "agent:main:work-x": { sessionId: "work-1", label: "Work label" },
      "agent:main:main": { sessionId: "private", displayName: "Work label", subject: "work-x" },
    });
    const agent = databaseOf(lab, "ops");
    agent.addSession("work-1", conversation("work-1", 5), "agent:ops:work-x");
    agent.addNode("agent:ops:work-x", { sessionId: "work-1", label: "Work label" });
    agent.addSession("private", conversation("private", 5), "agent:ops:main");
    agent.addNode("agent:ops:main", { sessionId: "private", displayName: "Work label" });
    const filter = { sessions: { allow: [pattern] } };
    expect((await lab.run({ filter })).failures).toEqual([]);
    expect(lab.receivedSessions()).toEqual(["main/work-1", "ops/work-1"]);
    expect(await counts(lab, filter)).toMatchObject({
      found: 4,
      uploaded: 2,
      skipped: { "filter.sessions.allow": 2 },
    });
  },
);

test("P75: a session that was denied does not leave because it is allowed", async () => {
  await using lab = await Lab.start();
  for (const id of ["work-1", "work-2"]) lab.session("main", id);
  await lab.run({ filter: { sessions: { allow: ["work-*"], deny: ["work-2"] } } });
  expect(lab.receivedSessions()).toEqual(["main/work-1"]);
});

test("P75: where the names of a session cannot be found out, it goes only if it is allowed by its id", async () => {
  await using lab = await Lab.start();
  for (const id of ["work-1", "abc"]) lab.session("main", id);
  write(sessionPath(lab.stateDir, "main", "sessions.json"), "damaged");
  const { failures } = await lab.run({ filter: { sessions: { allow: ["work-*"] } } });
  expect(lab.receivedSessions()).toEqual(["main/work-1"]);
  expect(failures).toMatchObject([
    {
      sessionId: "abc",
      reason: expect.stringContaining("filter.sessions.allow cannot be decided"),
    },
  ]);
});

test("P75: a pattern that allows nothing is named by status and by sync --dry-run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "work-1");
  const overrides = { filter: { sessions: { allow: ["work-*", "wrok-*"] } } };
  for (const { out } of [
    await lab.status({ overrides }),
    await lab.sync({ overrides, dryRun: true }),
  ]) {
    expect(out).toContain('filter.sessions.allow: "wrok-*" matches no session');
    expect(out.match(/ matches no /g)).toHaveLength(1);
  }
});

/** Sessions of each kind as the hosts keep them: their key, and what is kept beside it. */
const OF_KINDS: readonly (readonly [string, string, Record<string, string>])[] = [
  ["cron", "agent:main:cron:9f72:run:1795341703827", { chatType: "direct" }],
  ["cron", "agent:main:CRON:9f72", {}],
  ["cron", "cron:9f72", {}],
  ["cron", "agent:main:daily", { createdVia: "cron" }],
  ["subagent", "agent:main:subagent:a937", {}],
  ["subagent", "agent:main:acp:0f8c", { spawnedBy: "agent:main:main" }],
  ["heartbeat", "agent:main:main:heartbeat", {}],
  ["heartbeat", "agent:main:x", { heartbeatIsolatedBaseSessionKey: "agent:main:main" }],
  ["group", "agent:main:telegram:group:-100:topic:42", {}],
  ["group", "agent:main:discord:channel:123:thread:9", {}],
  ["group", "agent:main:whatsapp:120363@g.us", {}],
  ["group", "agent:main:main", { chatType: "group" }],
  ["group", "agent:main:slack:x", { chatType: "channel" }],
  ["group", "agent:main:subagent:b1", { spawnedBy: "agent:main:telegram:group:-100" }],
  ["direct", "agent:main:telegram:direct:7", {}],
  ["direct", "agent:main:telegram:acc:dm:7", {}],
  ["direct", "agent:main:main", { chatType: "direct" }],
];

test.for(OF_KINDS)(
  "P76: kinds leaves %s sessions out that are kept under %j, in both kinds of store",
  async ([kind, key, members]) => {
    await using lab = await Lab.start();
    for (const id of ["of-kind", "other"]) lab.session("main", id);
    sessionsJson(lab, {
      [key]: { sessionId: "of-kind", ...members },
      "agent:main:explicit:other": { sessionId: "other" },
    });
    const agent = databaseOf(lab, "ops");
    const inDb = key.replace("agent:main", "agent:ops");
    agent.addSession("of-kind", conversation("of-kind", 5), inDb);
    agent.addNode(inDb, { sessionId: "of-kind", ...members });
    agent.addSession("other", conversation("other", 5), "agent:ops:explicit:other");
    const filter = { kinds: [kind] };
    expect((await lab.run({ filter })).failures).toEqual([]);
    expect(lab.receivedSessions()).toEqual(["main/other", "ops/other"]);
    expect(await counts(lab, filter)).toMatchObject({ skipped: { "filter.kinds": 2 } });
  },
);

test.for([
  ["group", { chatType: "channel" }],
  ["direct", { chatType: "direct" }],
  ["subagent", { spawnedBy: "agent:main:main" }],
] as const)("P76: a window of a database that says %s is enough", async ([kind, columns]) => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  for (const id of ["of-kind", "other"])
    agent.addSession(id, conversation(id, 5), `agent:main:${id}`);
  agent.setKind("of-kind", columns);
  expect((await lab.run({ filter: { kinds: [kind] } })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/other"]);
});

test("P76: without a filter on kinds all of them go", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  sessionsJson(lab, { "agent:main:cron:9f72": { sessionId: "a" } });
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/a"]);
});

test.for(SESSION_KINDS)(
  "P76: with %s left out, a session that OpenClaw keeps nothing of is told and does not leave",
  async (kind) => {
    await using lab = await Lab.start();
    for (const id of ["listed", "unknown"]) lab.session("main", id);
    sessionsJson(lab, { "agent:main:explicit:x": { sessionId: "listed" } });
    const { failures } = await lab.run({ filter: { kinds: [kind] } });
    expect(lab.receivedSessions()).toEqual(["main/listed"]);
    expect(failures).toEqual([
      {
        agentId: "main",
        sessionId: "unknown",
        reason: `not sent, because filter.kinds cannot be decided for it: nothing that OpenClaw keeps says whether it is of the kind ${kind}`,
      },
    ]);
  },
);

test.for([
  ["agent:main:cron:9f72:run:1", ["cron"], "left out"],
  ["agent:main:telegram:group:-100", ["group"], "left out"],
  ["agent:main:telegram:group:-100", ["cron", "subagent", "direct"], "sent"],
  ["agent:main:main", ["cron", "subagent", "heartbeat", "group"], "sent"],
  ["agent:main:main", ["direct"], "undecidable"],
  ["global", ["group"], "undecidable"],
  ["agent:main:acp:0f8c", ["cron", "heartbeat"], "sent"],
  ["agent:main:acp:0f8c", ["subagent"], "undecidable"],
] as const)(
  "P76: a session that only its recording names, as %s, is with the kinds %j left out: %s",
  async ([key, kinds, expected]) => {
    await using lab = await Lab.start();
    reset(lab.session("main", "old"));
    recording(lab, "old", key);
    sessionsJson(lab, {});
    const { failures } = await lab.run({ filter: { kinds: [...kinds] } });
    expect(lab.receivedSessions()).toEqual(expected === "sent" ? ["main/old"] : []);
    expect(failures).toHaveLength(expected === "undecidable" ? 1 : 0);
  },
);

test("P76: what a session was before a reset is of the kind that its key has now", async () => {
  await using lab = await Lab.start();
  for (const id of ["old", "older", "now"]) lab.session("main", id);
  reset(sessionPath(lab.stateDir, "main", "old.jsonl"));
  recording(lab, "old", "agent:main:main");
  const usageFamilySessionIds = ["older", "now"];
  const entry = { sessionId: "now", chatType: "direct", usageFamilySessionIds };
  sessionsJson(lab, { "agent:main:main": entry });
  const filter = { kinds: ["direct"] };
  expect((await lab.run({ filter })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual([]);
  expect((await lab.run({ filter: { kinds: ["group"] } })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/now", "main/old", "main/older"]);
});

test("P75, P76: kinds and names are those of the list that agents share, or of one that lies elsewhere", async () => {
  await using lab = await Lab.start();
  const dir = join(lab.dir, "shared");
  lab.hostConfig = { session: { store: join(dir, "sessions.json") } };
  for (const id of ["a", "b", "c"]) write(join(dir, `${id}.jsonl`), lines(session(id)));
  lab.session("main", "d");
  const list = {
    "agent:main:cron:9f72": { sessionId: "a" },
    "agent:ops:work-x": { sessionId: "b" },
    "agent:ops:other": { sessionId: "c" },
    "agent:ops:work-y": { sessionFile: sessionPath(lab.stateDir, "main", "d.jsonl") },
  };
  write(join(dir, "sessions.json"), JSON.stringify(list));
  const filter = { sessions: { allow: ["agent:ops:work-*", "agent:main:*"] }, kinds: ["cron"] };
  expect((await lab.run({ filter })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/d", "ops/b"]);
});

test("P76: a file is of the kind that the database has for its session", async () => {
  await using lab = await Lab.start();
  for (const id of ["before", "open"]) reset(lab.session("main", id));
  const agent = databaseOf(lab, "main");
  agent.addSession("now", conversation("now", 5), "agent:main:cron:9f72");
  agent.addNode("agent:main:cron:9f72", { sessionId: "now", previousSessionId: "before" });
  agent.addSession("open", conversation("open", 5), "agent:main:explicit:open");
  expect((await lab.run({ filter: { kinds: ["cron", "group"] } })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test("P76: a chat of a type that is not known is taken for each kind of chat", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "ops");
  for (const [n, chatType] of ["forum", 7, { kind: "group" }].entries()) {
    lab.session("main", `s${n}`);
    agent.addSession(`s${n}`, conversation(`s${n}`, 5), `agent:ops:k${n}`);
    agent.addNode(`agent:ops:k${n}`, { sessionId: `s${n}`, chatType });
    sessionsJson(lab, { [`agent:main:k${n}`]: { sessionId: `s${n}`, chatType } });
    for (const kind of ["group", "direct"]) {
      expect((await lab.run({ filter: { kinds: [kind] } })).failures).toEqual([]);
    }
    rmSync(sessionPath(lab.stateDir, "main", `s${n}.jsonl`));
  }
  expect(lab.receivedSessions()).toEqual([]);
});

test("P76: a database without a column for the kind of a session leaves open what its key does not say", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  for (const [id, key] of [
    ["main", "agent:main:main"],
    ["of-group", "agent:main:telegram:group:1"],
  ] as const) {
    agent.addSession(id, conversation(id, 5), key);
  }
  agent.db.exec("DROP TABLE session_nodes; ALTER TABLE session_windows DROP COLUMN chat_type");
  const { failures } = await lab.run({ filter: { kinds: ["direct"] } });
  expect(lab.receivedSessions()).toEqual(["main/of-group"]);
  expect(failures).toMatchObject([{ sessionId: "main" }]);
});

const SINCE = "2026-11-20T00:00:00Z";
const BEFORE = "2026-11-19T23:59:59.999Z";

/** A session of which the header says that it began at `timestamp`, and the other entries what `later` says. */
function begunAt(id: string, timestamp: string, later = "2026-11-21T10:00:00.000Z"): string[] {
  const at = (line: string, time: string): string =>
    JSON.stringify({ ...JSON.parse(line), timestamp: time });
  return session(id).map((line, n) => at(line, n === 0 ? timestamp : later));
}

test("P77: since leaves out what began before, in both kinds of store", async () => {
  await using lab = await Lab.start();
  const filter = { since: SINCE };
  lab.session("main", "before", begunAt("before", BEFORE));
  lab.session("main", "then", begunAt("then", SINCE));
  const agent = databaseOf(lab, "ops");
  agent.addSession("before", conversation("before", 5), "agent:ops:a", Date.parse(BEFORE));
  agent.addSession("then", conversation("then", 5), "agent:ops:b", Date.parse(SINCE));
  agent.append("before", [{ type: "message", id: "later" }]);
  const dry = JSON.parse((await lab.sync({ overrides: { filter }, dryRun: true, json: true })).out);
  expect(dry.sessions).toMatchObject([
    { agentId: "ops", sessionId: "then" },
    { agentId: "main", sessionId: "then" },
  ]);
  expect((await lab.run({ filter })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/then", "ops/then"]);
  expect(await counts(lab, filter)).toMatchObject({
    found: 4,
    uploaded: 2,
    skipped: { "filter.since": 2 },
  });
});

test("P77: what last changed before since is not opened for it", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "old", ["no session at all"]);
  utimesSync(path, new Date(BEFORE), new Date(BEFORE));
  expect(await counts(lab, { since: SINCE })).toMatchObject({
    found: 1,
    skipped: { "filter.since": 1 },
  });
});

test("P77: a fork of what began before since is as old as what it copies, in both kinds of store", async () => {
  await using lab = await Lab.start();
  lab.session("main", "fork", begunAt("fork", SINCE, BEFORE));
  const agent = databaseOf(lab, "ops");
  agent.addSession("fork", conversation("fork", 5), "agent:ops:a", Date.parse(SINCE));
  agent.db
    .prepare("UPDATE transcript_events SET created_at = ? WHERE seq > 0")
    .run(Date.parse(BEFORE));
  expect((await lab.run({ filter: { since: SINCE } })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P77: what since leaves out is no failure of a filter that could not be decided for it", async () => {
  await using lab = await Lab.start();
  lab.session("main", "unlisted", begunAt("unlisted", BEFORE));
  sessionsJson(lab, {});
  const report = await lab.run({ filter: { since: SINCE, kinds: ["cron"] } });
  expect(report.failures).toEqual([]);
  expect(await counts(lab, { since: SINCE, kinds: ["cron"] })).toMatchObject({
    skipped: { "filter.since": 1 },
  });
});

test("P77: a database that does not say when a session began lets go only what no filter on that holds back", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  agent.addSession(
    "before",
    conversation("before", 5),
    "agent:main:a",
    Date.parse(BEFORE) - 60_000,
  );
  agent.addSession("later", conversation("later", 5), "agent:main:b", Date.parse(SINCE) + 1000);
  agent.db.exec("ALTER TABLE session_windows DROP COLUMN created_at");
  const { failures } = await lab.run({ filter: { since: SINCE } });
  expect(lab.receivedSessions()).toEqual([]);
  expect(failures).toMatchObject([{ sessionId: "later" }]);
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/before", "main/later"]);
});

test("P77: a session in cold storage began when its row was made", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  agent.addSession("before", conversation("before", 5), "agent:main:a", Date.parse(BEFORE));
  agent.addSession("then", conversation("then", 5), "agent:main:b", Date.parse(SINCE));
  for (const id of ["before", "then"]) agent.moveToCold(id);
  expect((await lab.run({ filter: { since: SINCE } })).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/then"]);
});

test("P77: a session of several files began with the first of them", async () => {
  await using lab = await Lab.start();
  reset(lab.session("main", "abc", begunAt("abc", BEFORE)));
  lab.session("main", "abc", begunAt("abc", SINCE));
  await lab.run({ filter: { since: SINCE } });
  expect(lab.receivedSessions()).toEqual([]);
});

test.for([
  ["without a header", () => begunAt("abc", SINCE).slice(1)],
  ["with a header without a time", () => [header("abc").replace("timestamp", "time"), message(1)]],
  ["with a header whose time is none", () => begunAt("abc", "yesterday")],
  ["that begins with a line longer than is looked at", () => [longHeader(), message(1)]],
] as const)("P77: a session %s is told and does not leave", async ([, entries]) => {
  await using lab = await Lab.start();
  lab.session("main", "abc", entries());
  const filter = { since: SINCE, minMessages: 0, minBytes: 0 };
  const { failures } = await lab.run({ filter });
  expect(lab.receivedSessions()).toEqual([]);
  expect(failures).toMatchObject([
    {
      sessionId: "abc",
      reason: "not sent, because filter.since cannot be decided for it: nothing says when it began",
    },
  ]);
  await lab.run({ filter: { ...filter, since: undefined } });
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

const longHeader = (): string =>
  JSON.stringify({
    ...JSON.parse(header("abc")),
    timestamp: SINCE,
    cwd: `/${"x".repeat(100_000)}`,
  });

test("P77: a session whose first line is being written is pending, not failing", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", []);
  touch(path);
  const report = await lab.run({ filter: { since: SINCE, minBytes: 0 } });
  expect(report).toMatchObject({ outcome: "done", failed: 0, left: { sessions: 0 } });
  expect(await counts(lab, { since: SINCE, minBytes: 0 })).toMatchObject({ pending: 1 });
});

test("P77: what was sent in part before since was set is left out from then on", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", begunAt("abc", BEFORE));
  await lab.run();
  const before = lab.received("main", "abc");
  lab.append(path, [message(9)]);
  await lab.run({ filter: { since: SINCE } });
  expect(lab.received("main", "abc")).toBe(before);
  await lab.run();
  expect(lab.received("main", "abc").split("\n")).toHaveLength(before.split("\n").length + 1);
});

/** A session that begins now, by the lab's clock. */
function beginNow(lab: Lab, id: string): void {
  const now = new Date(lab.now()).toISOString();
  rest(lab.session("main", id, begunAt(id, now, now)), -lab.clockOffset / 1000);
}

const HOUR_MS = 3_600_000;

test("P77: install means what begins from the first run on, whatever the config was then", async () => {
  await using lab = await Lab.start();
  beginNow(lab, "before");
  await lab.run({ filter: { sessions: { deny: ["*"] } } });
  lab.clockOffset = HOUR_MS;
  beginNow(lab, "after");
  lab.clockOffset = 2 * HOUR_MS;
  await lab.run({ filter: { since: "install" } });
  expect(lab.receivedSessions()).toEqual(["main/after"]);
});

test("P77: install names the same instant for another destination", async () => {
  await using lab = await Lab.start();
  await lab.run();
  const { firstRunAt } = await Ledger.open({
    stateDir: lab.stateDir,
    now: lab.now,
    readOnly: true,
  });
  expect(firstRunAt).toBeGreaterThan(Date.now() - 60_000);
  lab.clockOffset = HOUR_MS;
  beginNow(lab, "after");
  lab.clockOffset = 2 * HOUR_MS;
  await lab.run({ deploymentId: "another", filter: { since: "install" } });
  expect(lab.receivedSessions()).toEqual(["main/after"]);
  const ledger = await Ledger.open({ stateDir: lab.stateDir, now: lab.now, readOnly: true });
  expect(ledger.firstRunAt).toBe(firstRunAt);
});

test("P77: the instant that install means is on disk before anything is sent", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const onDisk: unknown[] = [];
  const server = await startFaultServer({
    script: () => {
      onDisk.push(JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8")).firstRunAt);
      return undefined;
    },
  });
  onTestFinished(() => server.close());
  const before = lab.now();
  await lab.run({ apiUrl: server.url });
  expect(onDisk).toEqual([expect.any(Number)]);
  expect(onDisk[0]).toBeGreaterThanOrEqual(before);
});

test("P77: when ledger and copy are lost, install means from now on", async () => {
  await using lab = await Lab.start();
  await lab.run();
  lab.clockOffset = HOUR_MS;
  beginNow(lab, "between");
  lab.clockOffset = 2 * HOUR_MS;
  for (const path of Object.values(lab.ledgerPaths)) rmSync(path, { force: true });
  const filter = { since: "install" };
  expect(await counts(lab, filter)).toMatchObject({ skipped: { "filter.since": 1 } });
  await lab.run({ filter });
  expect(lab.receivedSessions()).toEqual([]);
  expect(await counts(lab, filter)).toMatchObject({ skipped: { "filter.since": 1 } });
});

test("P77: a ledger of 2.0.0, which does not say when it was begun, lets install mean the next run", async () => {
  await using lab = await Lab.start();
  beginNow(lab, "before");
  await lab.run();
  for (const path of [lab.ledgerPaths.primary, lab.ledgerPaths.copy]) {
    const { firstRunAt: _, ...earlier } = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, `${JSON.stringify(earlier)}\n`);
  }
  lab.clockOffset = HOUR_MS;
  await lab.run();
  const ledger = await Ledger.open({ stateDir: lab.stateDir, now: lab.now, readOnly: true });
  expect(ledger.firstRunAt).toBeGreaterThanOrEqual(lab.now() - 60_000);
});

/** A rule that excludes the session `abc` of `main`, and what makes it one. */
const RULES: readonly (readonly [string, Filter])[] = [
  ["filter.sessions.deny", { sessions: { deny: ["abc"] } }],
  ["filter.sessions.deny", { sessions: { deny: ["private-x"] } }],
  ["filter.sessions.allow", { sessions: { allow: ["other"] } }],
  ["filter.agents.deny", { agents: { deny: ["main"] } }],
  ["filter.kinds", { kinds: ["group"] }],
  ["filter.since", { since: "2099-01-01" }],
];

test.for(RULES)(
  "P78: what was planned and not sent stays when %s excludes it: %j, and goes as it was without the rule",
  async ([option, filter]) => {
    await using lab = await Lab.start();
    lab.session("main", "abc", session("abc", 40));
    sessionsJson(lab, {
      "agent:main:private-x": { sessionId: "abc", chatType: "group", label: "Private" },
    });
    const server = await startFaultServer({
      script: ({ index }) => (index === 0 ? DROP : undefined),
    });
    onTestFinished(() => server.close());
    const overrides = { apiUrl: server.url };
    await lab.run(overrides);
    const planned = plannedIn(lab);
    expect(planned).toHaveLength(1);

    const ruled = { ...overrides, filter };
    await lab.run(ruled);
    await lab.sync({ overrides: ruled, all: true });
    expect(server.requests).toHaveLength(1);
    expect(plannedIn(lab)).toEqual(planned);
    const status = await lab.status({ overrides: ruled, json: true });
    expect(JSON.parse(status.out).counts).toMatchObject({ pending: 0, skipped: { [option]: 1 } });

    await lab.run(overrides);
    expect(server.requests.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      planned[0]?.idempotencyKey,
      planned[0]?.idempotencyKey,
    ]);
    expect(server.requests[1]?.lines).toEqual(server.requests[0]?.lines);
    expect(plannedIn(lab)).toEqual([]);
  },
);

const DROP = { kind: "cut", at: "after-body" } as const;

/** The parts that the ledger has as planned. */
function plannedIn(lab: Lab): { readonly idempotencyKey: string }[] {
  const { targets } = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8"));
  const sessions = Object.values<{ sessions: object }>(targets).flatMap((target) =>
    Object.values<{ streams: object }>(target.sessions as never),
  );
  return sessions.flatMap(({ streams }) =>
    Object.values<{ parts?: { idempotencyKey: string }[] }>(streams as never).flatMap(
      ({ parts = [] }) => parts,
    ),
  );
}

test("P78: a run that has nothing to do does not hide that a filter was changed", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const runs = new IdleCache(run);
  const deny = (...deny: string[]) => lab.options({ filter: { sessions: { deny } } });
  for (let n = 0; n < 4; n++) await runs.run(deny("abc"));
  expect(lab.receivedSessions()).toEqual([]);
  await runs.run(deny("other"));
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});
