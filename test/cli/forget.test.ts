import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { asker } from "../../src/cli/confirm.ts";
import { forget } from "../../src/cli/forget.ts";
import { readConfig } from "../../src/config/config.ts";
import { takeLock } from "../../src/ledger/lock.ts";
import { InfluxionError } from "../../src/shared/problem.ts";
import { confirmed, deletionsOf, startDeletingServer } from "../support/deleting-server.ts";
import { API_KEY, Lab, spoken } from "../support/lab.ts";
import { sessionPath, write } from "../support/transcripts.ts";

/** OpenClaw's list of the sessions of an agent. */
function list(lab: Lab, agentId: string, entries: Record<string, object>): void {
  write(sessionPath(lab.stateDir, agentId, "sessions.json"), JSON.stringify(entries));
}

test("a session goes by its id, key, label or <agent>/<id>, in any case", async () => {
  for (const name of ["abc", "agent:main:tmp-x", "TMP-X", "my talk", "main/abc"]) {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    lab.session("main", "def");
    list(lab, "main", { "agent:main:tmp-x": { sessionId: "abc", label: "My talk" } });
    const { code, out } = await lab.forget({ session: [name], json: true });
    expect({ name, code }).toEqual({ name, code: 0 });
    expect(JSON.parse(out)).toEqual({
      outcome: "forgotten",
      sessions: [{ agentId: "main", sessionId: "abc" }],
      failures: [],
      remote: null,
      calledOff: 0,
      exitCode: 0,
    });
  }
});

test("a name that several sessions have is refused, and they are listed", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("ops", "abc");
  const { code, err } = await lab.forget({ session: ["abc"] });
  expect(code).toBe(1);
  expect(err).toBe(
    'Nothing was changed: "abc" is the name of 2 sessions; say which: main/abc, ops/abc\n',
  );
  expect((await lab.forget({ session: ["abc"], agent: "ops" })).code).toBe(0);
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("a name that no session has is refused", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const session = await lab.forget({ session: ["abd"] });
  expect(session).toMatchObject({ code: 1, out: "" });
  expect(session.err).toMatch(/^Nothing was changed: no session is called "abd"/);
  const agent = await lab.forget({ agent: "mian", json: true });
  expect(JSON.parse(agent.out)).toEqual({
    outcome: "error",
    exitCode: 1,
    error: { code: "NO_SUCH_AGENT", message: 'no agent "mian"; there are: main' },
  });
});

test.for([
  [{}],
  [{ all: true, agent: "main" }],
  [{ all: true, session: ["abc"] }],
  [{ session: ["abc"], undo: true, remote: true }],
] as const)("%j is no scope", async ([options]) => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out } = await lab.forget({ ...options, json: true });
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ error: { code: "FORGET_SCOPE" } });
});

test("without a terminal nothing is forgotten unless --yes says so", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, err } = await lab.forget({ session: ["abc"], yes: false });
  expect(code).toBe(1);
  expect(err).toMatch(/there is no terminal to ask at; add --yes if this is what you want: Forget/);
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("what is asked says how many sessions, where, and what the API is asked for", async () => {
  await using lab = await Lab.start();
  for (const id of ["abc", "def"]) lab.session("scratch", id);
  lab.session("main", "ghi");
  const questions: string[] = [];
  const ask = (question: string): Promise<boolean> => {
    questions.push(question.replace(lab.receiver.url, "URL"));
    return Promise.resolve(false);
  };
  const asks = { yes: false, ask };
  for (const options of [
    { session: ["abc", "ghi"] },
    { agent: "scratch", remote: true },
    { all: true, undo: true },
  ]) {
    const { code, err } = await lab.forget({ ...asks, ...options });
    expect({ code, err }).toEqual({ code: 1, err: "Nothing was changed: not confirmed\n" });
  }
  expect(questions).toEqual([
    "Forget 2 sessions, scratch/abc, main/ghi (URL, deployment lab)? No upload sends them any more.",
    "Forget 2 sessions of agent scratch (URL, deployment lab)? No upload sends them any more; the API is asked to delete all that it has of the agent, also of sessions that are not here any more.",
    "Send all 0 sessions again, each from its beginning (URL, deployment lab)?",
  ]);
  await lab.run();
  expect(lab.receivedSessions()).toHaveLength(3);
});

test("of an agent everything that is there is forgotten, new sessions go, and how to keep those is said", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer(confirmed(2));
  const overrides = { apiUrl: server.url };
  for (const id of ["abc", "def"]) lab.session("scratch", id);
  lab.session("main", "ghi");
  await lab.run(overrides);
  const { code, out } = await lab.forget({ agent: "Scratch", remote: true, overrides });
  expect(code).toBe(0);
  expect(out.replace(server.url, "URL")).toBe(
    `Forgot 2 sessions: they are not sent to URL any more. "--undo" takes that back.
The API deleted what it had of 2 sessions.
New sessions of this agent still go; to keep them here, add "Scratch" to filter.agents.deny.
`,
  );
  const [deletion] = deletionsOf(server);
  expect(deletion).toMatchObject({ scope: "agent", agentId: "scratch" });
  expect(deletion).not.toHaveProperty("sessionId");
  // Also when the clock was set back since: a server takes what is not above for late.
  lab.clockOffset = -1_000_000;
  lab.session("scratch", "new");
  expect((await lab.run(overrides)).sent.sessions).toBe(1);
  const generation = Number(server.requests.at(-1)?.headers["influxion-generation"]);
  expect(generation).toBeGreaterThan(Number(deletion?.through));
  await server.close();
});

test("--all forgets every agent's sessions, also of those that a filter excludes", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("ops", "def");
  const deny = { filter: { agents: { deny: ["ops"] } } };
  const { out } = await lab.forget({ all: true, overrides: deny });
  expect(out).toContain("Forgot 2 sessions");
  await lab.run();
  expect(lab.receivedSessions()).toEqual([]);
});

test("--all is one deletion, which takes the place of those within it", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer({ kind: "status", status: 503 }, confirmed(3));
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  await lab.run(overrides);
  await lab.forget({ session: ["abc"], remote: true, overrides });
  expect((await lab.forget({ all: true, remote: true, overrides })).code).toBe(0);
  expect(deletionsOf(server).map(({ scope }) => scope)).toEqual(["session", "deployment"]);
  await server.close();
});

test("exit code 2 when an agent cannot be listed, since what it has is not forgotten", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  write(sessionPath(lab.stateDir, "ops", "../agent/openclaw-agent.sqlite"), "");
  const { code, out } = await lab.forget({ all: true });
  expect(code).toBe(2);
  expect(out).toMatch(/Failed: ops: .+; what was not found is not forgotten\n/);
});

test("a session that only the API knows can be deleted there by its full name", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer(confirmed(1));
  const overrides = { apiUrl: server.url };
  const { code } = await lab.forget({ session: ["main/gone"], remote: true, overrides });
  expect(code).toBe(0);
  expect(deletionsOf(server)).toMatchObject([{ agentId: "main", sessionId: "gone" }]);
  await server.close();
});

test("what the API keeps because it is newer is said", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer(confirmed(1, { left: 1 }));
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  const { out } = await lab.forget({ session: ["abc"], remote: true, overrides });
  expect(out).toContain("It keeps something newer of 1 session");
  await server.close();
});

test("--undo calls a deletion off that the API has not confirmed", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer({ kind: "status", status: 503 });
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  await lab.forget({ session: ["abc"], remote: true, overrides });
  const { out } = await lab.forget({ session: ["abc"], undo: true, overrides });
  expect(out).toContain("1 deletion that the API had not confirmed is called off.");
  await lab.sync({ overrides });
  expect(deletionsOf(server)).toHaveLength(1);
  await server.close();
});

test("--undo finds only what is forgotten", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  expect((await lab.forget({ session: ["abc"], undo: true })).err).toMatch(
    /no forgotten session is called "abc"/,
  );
  expect((await lab.forget({ all: true, undo: true })).out).toBe("Nothing of it was forgotten.\n");
});

test("another destination has its own sessions that are forgotten", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.forget({ session: ["abc"] });
  await lab.run({ deploymentId: "other" });
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("nothing is forgotten while another process uploads", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const abort = new AbortController();
  const { signal } = abort;
  {
    await using _lock = await takeLock({
      stateDir: lab.stateDir,
      role: "gateway",
      waitMs: 0,
      signal,
    });
    const forgetting = lab.forget({ session: ["abc"], signal });
    setTimeout(() => abort.abort(new Error("interrupted")), 300);
    const { code, err } = await forgetting;
    expect(code).toBe(130);
    expect(err).toMatch(/^Waiting: the Gateway \(pid \d+\) has been uploading since/);
  }
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P55: without a config nothing is asked, and each missing option is named", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { code, out, err } = await spoken((terminal) =>
    forget({
      setup: { stateDir: lab.stateDir, config: readConfig({}) },
      flags: { all: true, remote: true, yes: true, json: true },
      context: { signal: new AbortController().signal, now: Date.now, random: Math.random },
      apiKey: () => Promise.reject(new Error("the key was asked for")),
      ask: null,
      terminal,
    }),
  );
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    outcome: "not-configured",
    configProblems: [{ path: "apiKey" }, { path: "deploymentId" }, { path: "projectId" }],
  });
  expect(err).toContain("Nothing was changed: the config is not complete.");
});

test("nothing is forgotten where the key cannot be had that --remote needs", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const failure = new InfluxionError("API_KEY_UNRESOLVED", "the key leads to nothing");
  const { code, err } = await lab.forget({
    session: ["abc"],
    remote: true,
    apiKey: () => Promise.reject(failure),
  });
  expect({ code, err }).toEqual({
    code: 1,
    err: "Nothing was changed: the key leads to nothing\n",
  });
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P59: names carry no control sequences into the terminal", async () => {
  await using lab = await Lab.start();
  for (const id of ["abc", "def"]) lab.session("main", id);
  const label = "\u001b[2Jnotes";
  list(lab, "main", {
    "agent:main:a": { sessionId: "abc", label },
    "agent:main:b": { sessionId: "def", label },
  });
  for (const name of [label, "\u001b]0;x\u0007"]) {
    const said = await lab.forget({ session: [name] });
    expect(said.code).toBe(1);
    for (const control of ["\u001b", "\u0007"]) expect(said.err).not.toContain(control);
  }
});

test("P58: neither key nor transcript is in what the command says or asks for", async () => {
  await using lab = await Lab.start();
  const server = await startDeletingServer({ kind: "status", status: 400, body: "no" });
  const overrides = { apiUrl: server.url };
  lab.session("main", "abc");
  await lab.run(overrides);
  for (const json of [true, false]) {
    const said = JSON.stringify(
      await lab.forget({ session: ["abc"], remote: true, json, overrides }),
    );
    expect(said).toContain("answered 400: the API does not take this deletion");
    expect(said).not.toContain(API_KEY);
    expect(said).not.toContain("hello");
  }
  expect(server.requests.map(({ path }) => path).join()).not.toContain(API_KEY);
  await server.close();
});

/** An end of a terminal. */
const tty = (isTTY: boolean): PassThrough & { isTTY: boolean } =>
  Object.assign(new PassThrough(), { isTTY });

test.for([
  ["y\n", true],
  ["YES\n", true],
  ["\n", false],
  ["no\n", false],
  ["yesterday\n", false],
] as const)("%j to a question is %s", async ([typed, expected]) => {
  const input = tty(true);
  const ask = asker({ input, output: tty(true) });
  input.write(typed);
  expect(await ask?.("Forget it?", new AbortController().signal)).toBe(expected);
});

test("the end of the input is a no, and without a terminal nobody is asked", async () => {
  const input = tty(true);
  const ask = asker({ input, output: tty(true) });
  input.end();
  expect(await ask?.("Forget it?", new AbortController().signal)).toBe(false);
  expect(asker({ input: tty(false), output: tty(true) })).toBeNull();
  expect(asker({ input: tty(true), output: tty(false) })).toBeNull();
});
