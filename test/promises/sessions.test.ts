import { expect, onTestFinished, test } from "vitest";
import { displayWidth } from "../../src/shared/width.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab, type Spoken } from "../support/lab.ts";
import { snapshot } from "../support/snapshot.ts";
import { header, message, session, sessionPath, write } from "../support/transcripts.ts";

const FILTER = {
  agents: { deny: ["scr*"] },
  sessions: { deny: ["tmp-*", "nothing-*"] },
  kinds: ["cron"],
  since: "2026-10-01",
  minMessages: 3,
  minBytes: 400,
};

const LONG = "x".repeat(400);

/** A session for each filter, and others. */
function fill(lab: Lab): void {
  lab.session("main", "good");
  lab.session("main", "tmp-1");
  lab.session("main", "few", [header("few"), message(0, LONG), message(1)]);
  lab.session("main", "small", [header("small"), message(0), message(1)]);
  lab.session("main", "job");
  lab.session("main", "old", [
    header("old").replace("2026-10-01", "2026-09-01"),
    ...session("old").slice(1),
  ]);
  lab.session("scratch", "any");
  const entries = {
    "agent:main:main": { sessionId: "good", label: "My chat" },
    "agent:main:few": { sessionId: "few" },
    "agent:main:small": { sessionId: "small" },
    "agent:main:cron:nightly": { sessionId: "job", displayName: "Every night" },
  };
  write(sessionPath(lab.stateDir, "main", "sessions.json"), JSON.stringify(entries));
}

/** What a line of the list says of each session, by `<agent>/<id>`. */
const listed = ({ out }: Spoken): Record<string, string> =>
  Object.fromEntries(
    out
      .split("\n")
      .map((line) => line.split(/ {2,}/))
      .filter(([, key]) => key?.includes("/"))
      .map((columns) => [columns[1], `${columns[0]}: ${columns.at(-1)}`]),
  );

test("P102: sessions lists every session with its state, and the rule that excludes it with its value", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const overrides = { filter: FILTER };
  expect(listed(await lab.sessions({ overrides }))).toEqual({
    "main/good": "pending: all of it to send",
    "main/tmp-1": 'skipped: denied by "tmp-*" in filter.sessions.deny',
    "main/few": "skipped: 2 messages, filter.minMessages is 3",
    "main/small": expect.stringMatching(/^skipped: 3\d\d bytes, filter\.minBytes is 400$/),
    "main/job": 'skipped: of the kind cron, filter.kinds is ["cron"]',
    "main/old": "skipped: began before that, filter.since is 2026-10-01",
    "scratch/any": 'skipped: its agent is denied by "scr*" in filter.agents.deny',
  });
  const allow = { filter: { sessions: { allow: ["My chat"] }, agents: { allow: ["main"] } } };
  expect(listed(await lab.sessions({ overrides: allow }))).toMatchObject({
    "main/job": 'skipped: not among filter.sessions.allow, ["My chat"]',
    "scratch/any": 'skipped: its agent is not among filter.agents.allow, ["main"]',
  });
});

test("P102: sessions names what was sent, what waits, when a failing one is tried again, and what is forgotten", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b", "c", "d"]) lab.session("main", id);
  await lab.run({}, { only: new Set(["main/a", "main/b"]) });
  lab.append(sessionPath(lab.stateDir, "main", "b.jsonl"), [message(50)]);
  await lab.forget({ session: ["d"] });
  const server = await startFaultServer({ default: { kind: "status", status: 400 } });
  const overrides = { apiUrl: server.url };
  await lab.run(overrides, { only: new Set(["main/c"]) });
  await server.close();
  expect(listed(await lab.sessions())).toMatchObject({
    "main/a": expect.stringMatching(/^uploaded: 5 lines sent, last \d+ s ago$/),
    "main/b": expect.stringMatching(/^pending: \d+ B to send, from line 5$/),
    "main/d": expect.stringMatching(/^skipped: forgotten \d+ s ago; .*--undo" takes that back$/),
  });
  expect(listed(await lab.sessions({ overrides }))["main/c"]).toMatch(
    /^failing: answered 400.*; tried again at (\S+ )?\d\d:\d\d, in 1 h$/,
  );
});

test("P102: sessions counts as status does, state by state, also of databases", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const agent = new AgentDb(lab.stateDir, { agentId: "db" });
  onTestFinished(() => agent.close());
  agent.addSession("in-db", conversation("in-db", 4));
  const overrides = { filter: { ...FILTER, since: undefined } };
  const { sessions } = JSON.parse((await lab.sessions({ overrides, json: true })).out);
  const { counts } = JSON.parse((await lab.status({ overrides, json: true })).out);
  const of = (state: string) => sessions.filter((one: { state: string }) => one.state === state);
  expect(sessions).toHaveLength(counts.found);
  expect(of("pending")).toHaveLength(counts.pending);
  expect(of("skipped")).toHaveLength(5);
  expect(of("pending").map((one: { sessionId: string }) => one.sessionId)).toContain("in-db");
});

test("P102: sessions shows the states and the agent that are asked for", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const overrides = { filter: FILTER };
  const keys = async (flags: object) =>
    Object.keys(listed(await lab.sessions({ overrides, ...flags })));
  expect(await keys({ pending: true })).toEqual(["main/good"]);
  expect(await keys({ pending: true, skipped: true, agent: "main" })).toHaveLength(6);
  expect(await keys({ uploaded: true, failing: true })).toEqual([]);
  expect(await lab.sessions({ agent: "mian" })).toMatchObject({ code: 1 });
});

test("P102: sessions names a session by key and label, and its id as it can be given to sync", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const { out } = await lab.sessions({ pending: true, columns: 80 });
  const lines = out.split("\n");
  expect(lines.some((line) => line.includes('agent:main:main, "My chat"'))).toBe(true);
  expect(out).toContain("  main/good  ");
  const { sessions } = JSON.parse((await lab.sessions({ json: true })).out);
  expect(sessions).toContainEqual(
    expect.objectContaining({ sessionKey: "agent:main:main", label: "My chat", title: null }),
  );
  expect(sessions).toContainEqual(
    expect.objectContaining({ sessionKey: "agent:main:cron:nightly", title: "Every night" }),
  );
});

test.each([50, 80])(
  "P102: no line of sessions is wider than %d columns or acts on a terminal",
  async (columns) => {
    await using lab = await Lab.start();
    fill(lab);
    const label = `\u001b[2J\u202e${"日本語の会話".repeat(20)}\nsecond line`;
    const entries = { "agent:main:main": { sessionId: "good", label } };
    write(sessionPath(lab.stateDir, "main", "sessions.json"), JSON.stringify(entries));
    const reason = `${"会話".repeat(60)} ${"y".repeat(90)}`;
    const overrides = { filter: { sessions: { deny: [`{tmp-1,${reason}}`] } } };
    const { out } = await lab.sessions({ overrides, columns });
    const text = out.replace(/\p{Cc}\[[0-9;]*m/gu, "");
    for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
    expect(text).toContain("日本語の会話");
  },
);

test("P102: sessions works before the plugin is configured, changes nothing and calls nobody", async () => {
  await using lab = await Lab.start();
  fill(lab);
  await lab.run();
  const before = snapshot(lab.stateDir);
  const parts = lab.receiver.stats().parts;
  const unset = await lab.sessions({ input: {} });
  expect(unset).toMatchObject({
    code: 0,
    err: "Not configured yet: apiKey, deploymentId, projectId.\n",
  });
  expect(Object.keys(listed(unset))).toHaveLength(7);
  await lab.sessions({ json: true });
  expect(snapshot(lab.stateDir)).toBe(before);
  expect(lab.receiver.stats().parts).toBe(parts);
});

test("P102: what cannot be looked at is named, and the exit code says so", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  write(`${lab.stateDir}/agents/ops/sessions`, "a file where the folder should be");
  const { code, out } = await lab.sessions();
  expect(code).toBe(2);
  expect(out).toMatch(/Failed: ops: .+ cannot be read \(ENOTDIR\)/);
});

test("P103: sync --session sends that session and no other, by id, key, label or agent and id", async () => {
  for (const name of ["good", "agent:main:main", "my CHAT", "main/good"]) {
    await using lab = await Lab.start();
    fill(lab);
    expect((await lab.sync({ session: name })).code).toBe(0);
    expect(lab.receivedSessions(), name).toEqual(["main/good"]);
    expect((await lab.sync({ session: name })).out).toBe(
      "Nothing to upload: main/good is up to date.\n",
    );
  }
});

test("P103: sync --session tries one again that is put aside, and no other that is", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  let status = 400;
  const server = await startFaultServer({
    script: () => (status === 200 ? undefined : { kind: "status", status }),
  });
  const overrides = { apiUrl: server.url };
  await lab.sync({ overrides });
  status = 200;
  expect(await lab.run(overrides)).toMatchObject({ sent: { sessions: 0 }, failed: 2 });
  const { out, code } = await lab.sync({ overrides, session: "a" });
  await server.close();
  expect([code, out]).toEqual([0, expect.stringMatching(/^Uploaded 5 lines of 1 session/)]);
  const after = listed(await lab.sessions({ overrides }));
  expect(after["main/a"]).toContain("uploaded");
  expect(after["main/b"]).toContain("failing");
});

test("P103: sync --session sends a small session that its user has named, and later runs what is added to it", async () => {
  await using lab = await Lab.start();
  fill(lab);
  const overrides = { filter: { minMessages: 3, minBytes: 400 } };
  for (const session of ["few", "small"]) await lab.sync({ overrides, session });
  expect(lab.receivedSessions()).toEqual(["main/few", "main/small"]);
  lab.append(sessionPath(lab.stateDir, "main", "few.jsonl"), [message(2)]);
  await lab.run(overrides);
  expect(lab.received("main", "few")).toContain("message 2");
});

test("P103: sync --session sends nothing that a rule or forget keeps here, and says which", async () => {
  await using lab = await Lab.start();
  fill(lab);
  lab.session("main", "gone");
  await lab.forget({ session: ["gone"] });
  const rules: Record<string, string> = {
    "tmp-1": '"tmp-*" in filter.sessions.deny',
    job: "filter.kinds",
    old: "filter.since",
    "scratch/any": '"scr*" in filter.agents.deny',
    gone: "forgotten",
  };
  for (const [session, rule] of Object.entries(rules)) {
    for (const dryRun of [false, true]) {
      const { code, err } = await lab.sync({ overrides: { filter: FILTER }, session, dryRun });
      expect([code, err]).toEqual([1, expect.stringContaining(rule)]);
    }
  }
  const allow = { filter: { sessions: { allow: ["My chat"] } } };
  const { code, err } = await lab.sync({ overrides: allow, session: "job", json: true });
  expect([code, err]).toEqual([1, expect.stringContaining("filter.sessions.allow")]);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P103: a name that several sessions have, or none, is refused, and they are listed", async () => {
  await using lab = await Lab.start();
  for (const agent of ["main", "ops"]) lab.session(agent, "same");
  const twice = await lab.sync({ session: "same" });
  expect(twice).toMatchObject({ code: 1, err: expect.stringContaining("main/same, ops/same") });
  const none = await lab.sync({ session: "nobody" });
  expect(none).toMatchObject({ code: 1, err: expect.stringContaining('called "nobody"') });
  expect((await lab.sync({ session: "same", agent: "ops" })).code).toBe(0);
  expect(lab.receivedSessions()).toEqual(["ops/same"]);
});

test("P103: after sync --session nothing is forgotten of the other sessions", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  await lab.run();
  const before = await lab.record("main", "b");
  for (let times = 0; times < 6; times++) {
    lab.clockOffset += 9 * 3_600_000;
    await lab.sync({ session: "a" });
  }
  expect(await lab.record("main", "b")).toEqual(before);
});

test("P88: --dry-run lists what would go by key, label, date, messages and size, also without key and project", async () => {
  await using lab = await Lab.start();
  fill(lab);
  lab.append(sessionPath(lab.stateDir, "main", "good.jsonl"), [message(7)]);
  const unset = await lab.sync({ dryRun: true, input: { filter: FILTER } });
  expect(unset.code).toBe(0);
  expect(unset.err).toContain("Not configured yet: apiKey, deploymentId, projectId.");
  expect(unset.out).toMatch(
    /^main\/good {2}agent:main:main {2}"My chat" {2}2026-\S+ \d\d:\d\d {2}1\.\d kB {2}new, from its beginning: 5 messages in 1 part\n/,
  );
  expect(unset.out).toContain("This run would send 1 session");
  await lab.run({ filter: FILTER });
  lab.append(sessionPath(lab.stateDir, "main", "good.jsonl"), [message(8)]);
  const more = await lab.sync({ dryRun: true, overrides: { filter: FILTER }, json: true });
  expect(JSON.parse(more.out).sessions).toMatchObject([
    { sessionKey: "agent:main:main", label: "My chat", messages: 1, agentId: "main" },
  ]);
});
