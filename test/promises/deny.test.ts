import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, linkSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { RunReport } from "../../src/run/report.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { lines, session, sessionPath, write } from "../support/transcripts.ts";

/** The host's list of the sessions in a folder. */
function sessionsJson(lab: Lab, agentId: string, entries: Record<string, unknown>): string {
  return write(sessionPath(lab.stateDir, agentId, "sessions.json"), JSON.stringify(entries));
}

function databaseOf(lab: Lab, agentId: string): AgentDb {
  const agent = new AgentDb(lab.stateDir, { agentId });
  onTestFinished(() => agent.close());
  return agent;
}

const denySessions = (...deny: string[]) => ({ filter: { sessions: { deny } } });
const denyAgents = (...deny: string[]) => ({ filter: { agents: { deny } } });

test.for(["My Agent", "MY-AGENT", " my agent ", "my*", "My Ag*", "{x,My Agent}"])(
  "P67: agents.deny %j keeps an agent here that is configured as My Agent",
  async (pattern) => {
    await using lab = await Lab.start();
    lab.session("my-agent", "a");
    lab.session("main", "b");
    databaseOf(lab, "my-agent").addSession("c", conversation("c", 5));
    const report = await lab.run(denyAgents(pattern));
    expect(lab.receivedSessions()).toEqual(["main/b"]);
    expect(report.outcome).toBe("done");
    const { counts } = JSON.parse(
      (await lab.status({ overrides: denyAgents(pattern), json: true })).out,
    );
    expect(counts).toMatchObject({ found: 3, uploaded: 1, skipped: { "filter.agents.deny": 2 } });
  },
);

test("P67: an agent is denied by the name that it has in the host's config", async () => {
  await using lab = await Lab.start();
  lab.hostConfig = {
    agents: { list: [{ id: "Re-Search", name: "The Professor", identity: { name: "Ada" } }] },
  };
  for (const name of ["The Professor", "ada", "re-search"]) {
    lab.session("re-search", "a");
    await lab.run(denyAgents(name));
    expect(lab.receivedSessions()).toEqual([]);
  }
});

test.for([
  ["TMP-*", "its id"],
  ["tmp-* ", "its id, with white space"],
])("P67: sessions.deny %j denies by %s, in any case", async ([pattern]) => {
  await using lab = await Lab.start();
  lab.session("main", "tmp-1");
  lab.session("main", "open");
  sessionsJson(lab, "main", {});
  databaseOf(lab, "ops").addSession("tmp-2", conversation("tmp-2", 5));
  await lab.run(denySessions(pattern as string));
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

const ID = "819cb456-85c9-420b-8245-18da53722669";

const ENTRY = { sessionId: ID, updatedAt: 1, label: "Salary Talks", displayName: "HR / Ada" };

test.for(["agent:main:tmp-x", "agent:*:TMP-*", "tmp-x", "salary talks", "Salary*", "hr / *"])(
  "P67: sessions.deny %j denies what the host lists under that key, label or name",
  async (pattern) => {
    await using lab = await Lab.start();
    lab.session("main", ID);
    lab.session("main", "open");
    sessionsJson(lab, "main", {
      "agent:main:tmp-x": ENTRY,
      "agent:main:main": { sessionId: "open", updatedAt: 1 },
    });
    const agent = databaseOf(lab, "ops");
    agent.addSession("in-db", conversation("in-db", 5), "agent:ops:tmp-x");
    agent.addNode("agent:ops:tmp-x", { ...ENTRY, sessionId: "in-db" });
    agent.addSession("open", conversation("open", 5), "agent:ops:main");
    await lab.run(denySessions(pattern.replace("main:tmp", "*:tmp")));
    expect(lab.receivedSessions()).toEqual(["main/open", "ops/open"]);
  },
);

test.for([
  ["label", '"label":"open","label":"private notes"'],
  ["label", '"label":"private notes","label":"open"'],
  ["label of its origin", '"origin":{"label":"open","label":"private notes"}'],
])("P67: a %s that is there twice denies by either: %s", async ([, members]) => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  agent.addSession("s", conversation("s", 5), "agent:main:s");
  agent.addSession("open", conversation("open", 5), "agent:main:open");
  agent.db
    .prepare("UPDATE session_nodes SET entry_json = ? WHERE session_key = 'agent:main:s'")
    .run(`{"sessionId":"s",${members}}`);
  await lab.run(denySessions("private*"));
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test("P67: a name that the host cut off within an emoji is a name, and does not keep others here", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  for (const id of ["private", "open"]) {
    agent.addSession(id, conversation(id, 5), `agent:main:k-${id}`);
    agent.addNode(`agent:main:k-${id}`, { sessionId: id, displayName: `my ${id} \ud83d` });
  }
  lab.session("main", "file");
  sessionsJson(lab, "main", {});
  const report = await lab.run(denySessions("my private*"));
  expect(report.failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/file", "main/open"]);
});

test.for([
  ["in files only", "old1"],
  ["by a topic of it", "old1-topic-7"],
  ["as what a compaction began anew", "2026-11-22T10-07-24-663Z_old1"],
])(
  "P67: what the database names as an earlier part of a session is denied with it, %s",
  async ([, id]) => {
    await using lab = await Lab.start();
    const agent = databaseOf(lab, "main");
    agent.addSession("new", conversation("new", 5), "agent:main:tmp-x");
    agent.addSession("old2", conversation("old2", 5), "agent:main:other");
    const entry = { sessionId: "new", usageFamilySessionIds: ["old1", "old2", "new"] };
    agent.addNode("agent:main:tmp-x", entry);
    // Nothing of this one is in the database.
    const compactionCheckpoints = [{ preCompaction: { sessionFile: "/x/old3.jsonl" } }];
    agent.addNode("agent:main:tmp-y", { sessionId: "none", compactionCheckpoints });
    const from = lab.session("main", "open");
    sessionsJson(lab, "main", {});
    for (const name of [id, "old3"]) {
      const archive = sessionPath(
        lab.stateDir,
        "main",
        `${name}.jsonl.reset.2026-11-22T09-56-39.719Z`,
      );
      cpSync(from, archive, { preserveTimestamps: true });
    }
    const report = await lab.run(denySessions("tmp-*"));
    expect(report.failed).toBe(0);
    expect(lab.receivedSessions()).toEqual(["main/open"]);
  },
);

test.for([
  ["a database that is damaged", undefined],
  ["an entry that is damaged", "UPDATE session_nodes SET entry_json = '{'"],
  ["a database that is not understood", "ALTER TABLE transcript_events RENAME TO events"],
])("P67: beside %s no file leaves that a filter might deny", async ([, sql]) => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  agent.addSession("s", conversation("s", 5), "agent:main:s");
  if (sql !== undefined) agent.db.exec(sql);
  agent.close();
  if (sql === undefined) write(agent.path, "damaged".repeat(1000));
  for (const agentId of ["main", "other"]) {
    lab.session(agentId, "file");
    sessionsJson(lab, agentId, {});
  }
  const report = await lab.run(denySessions("tmp-*"));
  expect(lab.receivedSessions()).toEqual(["other/file"]);
  expect(report.failures).toContainEqual(
    expect.objectContaining({
      sessionId: "file",
      reason: expect.stringMatching(/^not sent, because filter.sessions.deny cannot be decided/),
    }),
  );
  await lab.run();
  expect(lab.receivedSessions()).toContain("main/file");
});

test.for([
  ["a topic of a chat", `${ID}-topic-9.jsonl`, { sessionId: ID }],
  [
    "a file of another name",
    "named-otherwise.jsonl",
    { sessionId: ID, sessionFile: "/home/u/named-otherwise.jsonl" },
  ],
  [
    "a session that a compaction began anew",
    `2026-11-22T10-07-24-663Z_${ID}.jsonl`,
    { sessionId: ID },
  ],
  ["the archive of a reset", `${ID}.jsonl.reset.2026-11-22T09-56-39.719Z`, { sessionId: ID }],
  [
    "a topic of a chat with such a name",
    "hot-topic-news-topic-7.jsonl",
    { sessionId: "hot-topic-news" },
  ],
  [
    "a topic of a session that a compaction began anew",
    `2026-11-22T10-07-24-663Z_${ID}-topic-7.jsonl`,
    { sessionId: ID },
  ],
  ["a session whose id is written in another case", `${ID}.jsonl`, { sessionId: ID.toUpperCase() }],
  [
    "what it was before a rollover",
    `${ID}.jsonl`,
    { sessionId: "later", usageFamilySessionIds: [ID, "later"] },
  ],
  [
    "what it was before a compaction",
    "old.jsonl",
    { sessionId: ID, compactionCheckpoints: [{ preCompaction: { sessionId: "old" } }] },
  ],
] as const)("P67: %s is denied by the key of its session", async ([, file, entry]) => {
  await using lab = await Lab.start();
  const from = lab.session("main", "template");
  sessionsJson(lab, "main", {});
  mkdirSync(sessionPath(lab.stateDir, "other", ""), { recursive: true });
  cpSync(from, sessionPath(lab.stateDir, "other", file), { preserveTimestamps: true });
  sessionsJson(lab, "other", { "agent:other:private": entry });
  await lab.run(denySessions("agent:other:private"));
  expect(lab.receivedSessions()).toEqual(["main/template"]);
});

/** The beginning of what OpenClaw's debug recorder writes beside a session. */
const recording = (sessionKey: string): string =>
  `${JSON.stringify({ traceSchema: "openclaw-trajectory", type: "session.started", sessionKey, data: {} })}\n`;

test.for([
  ["agent:main:private", "its key"],
  ["private", "its key, as commands take it"],
  ["Salary*", "the label that its key has now"],
])(
  "P67: a session that a reset or rollover took out of sessions.json is denied by %s, %s, as its recording has it",
  async ([pattern]) => {
    await using lab = await Lab.start();
    for (const id of ["rolled-over", "reset", "open"]) lab.session("main", id);
    const dir = join(lab.stateDir, "agents/main/sessions");
    renameSync(join(dir, "reset.jsonl"), join(dir, "reset.jsonl.reset.2026-11-22T09-56-39.719Z"));
    for (const id of ["rolled-over", "reset"]) {
      write(join(dir, `${id}.trajectory.jsonl`), recording("agent:main:private").repeat(3));
    }
    write(join(dir, "open.trajectory.jsonl"), recording("agent:main:open"));
    sessionsJson(lab, "main", { "agent:main:private": ENTRY });
    await lab.run(denySessions(pattern as string));
    expect(lab.receivedSessions()).toEqual(["main/open"]);
  },
);

test("P67: a recording that cannot be read is no reason to let a session go past a filter", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  sessionsJson(lab, "main", {});
  mkdirSync(sessionPath(lab.stateDir, "main", "abc.trajectory.jsonl"));
  expect((await lab.run(denySessions("private"))).failures[0]?.reason).toContain(
    "its recording cannot be read",
  );
  expect(lab.receivedSessions()).toEqual([]);
});

test("P67: what neither list nor recording names is told by its id", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  sessionsJson(lab, "main", {});
  write(sessionPath(lab.stateDir, "main", "abc.trajectory.jsonl"), "not what it should be\n");
  await lab.run(denySessions("private"));
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P67: without a list, sessions are told by their ids", async () => {
  await using lab = await Lab.start();
  for (const id of ["tmp-live", "tmp-reset", "open"]) lab.session("main", id);
  const finished = sessionPath(lab.stateDir, "main", "tmp-reset.jsonl");
  renameSync(finished, `${finished}.reset.2026-11-22T09-56-39.719Z`);
  expect((await lab.run(denySessions("TMP-*"))).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test("P67: without a list, a filter of nothing but ids decides", async () => {
  await using lab = await Lab.start();
  for (const id of [ID, `${ID}-topic-7`, `2026-11-22T10-07-24-663Z_${ID}`, "open"]) {
    lab.session("main", id);
  }
  expect((await lab.run(denySessions(` ${ID.toUpperCase()}`))).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test.for([
  ["null", null],
  ["a text", ID],
  ["an object that names no session", { label: "x" }],
])(
  "P67: where an entry of the list is %s, what is in no other entry does not leave past a filter",
  async ([, entry]) => {
    await using lab = await Lab.start();
    for (const id of [ID, "open"]) lab.session("main", id);
    sessionsJson(lab, "main", {
      "agent:main:tmp-x": entry,
      "agent:main:main": { sessionId: "open" },
    });
    const { failures } = await lab.run(denySessions("tmp-*"));
    expect(lab.receivedSessions()).toEqual(["main/open"]);
    expect(failures).toMatchObject([
      { sessionId: ID, reason: expect.stringContaining("has an entry that names no session") },
    ]);
  },
);

test.for([
  ["tmp-*", "AGENT:MAIN:TMP-x"],
  ["tmp-*", " agent:main:tmp-x"],
  ["agent:My Agent:tmp-x", "agent:my-agent:tmp-x"],
  ["Agent:My *:tmp-*", "agent:my-agent:tmp-x"],
  ["agent:my-agent:tmp-x", "agent:My Agent:tmp-x"],
] as const)(
  "P67: sessions.deny %j denies what is kept under the key %j",
  async ([pattern, key]) => {
    await using lab = await Lab.start();
    for (const id of [ID, "open"]) lab.session("my-agent", id);
    sessionsJson(lab, "my-agent", { [key]: { sessionId: ID }, main: { sessionId: "open" } });
    const agent = databaseOf(lab, "my-agent");
    agent.addSession("in-db", conversation("in-db", 5), key);
    await lab.run(denySessions(pattern));
    expect(lab.receivedSessions()).toEqual(["my-agent/open"]);
  },
);

test("P67: a session is denied by the recording of the session that it is a topic of", async () => {
  await using lab = await Lab.start();
  for (const id of [`${ID}-topic-5`, "open"]) lab.session("main", id);
  sessionsJson(lab, "main", {});
  write(sessionPath(lab.stateDir, "main", `${ID}.trajectory.jsonl`), recording("agent:main:tmp-x"));
  await lab.run(denySessions("tmp-*"));
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test("P67: a finished session is denied by a recording that a host upgrade has moved", async () => {
  await using lab = await Lab.start();
  for (const id of [ID, "open"]) {
    const path = lab.session("main", id);
    renameSync(path, `${path}.reset.2026-11-22T09-56-39.719Z`);
  }
  write(
    join(
      lab.stateDir,
      "agents/main/session-sqlite-import-archive",
      `agent_main_tmp-x.${ID}.trajectory.jsonl.imported-1763800000000`,
    ),
    recording("agent:main:tmp-x"),
  );
  await lab.run(denySessions("tmp-*"));
  expect(lab.receivedSessions()).toEqual(["main/open"]);
});

test("P67: a session is denied by its key in a list that lies elsewhere", async () => {
  for (const pattern of ["tmp-*", "agent:*:tmp-x"]) {
    await using lab = await Lab.start();
    for (const [agent, id] of [
      ["main", "a"],
      ["main", "open"],
      ["other", "b"],
    ] as const) {
      lab.session(agent, id);
    }
    for (const agent of ["main", "other"]) sessionsJson(lab, agent, {});
    const moved = join(lab.dir, "moved");
    lab.hostConfig = { session: { store: join(moved, "{agentId}", "sessions.json") } };
    write(
      join(moved, "main", "sessions.json"),
      JSON.stringify({
        "agent:main:tmp-x": { sessionId: "a" },
        "agent:main:tmp-y": {
          sessionId: "z",
          label: "tmp-z",
          sessionFile: sessionPath(lab.stateDir, "other", "b.jsonl"),
        },
      }),
    );
    await lab.run(denySessions(pattern, "tmp-z"));
    expect(lab.receivedSessions()).toEqual(["main/open"]);
  }
});

test("P67: a session leaves only if the agent of its key may go, too, by all of that agent's names", async () => {
  await using lab = await Lab.start();
  lab.hostConfig = { agents: { list: [{ id: "main" }, { id: "secret", name: "The Professor" }] } };
  for (const id of ["a", "open"]) lab.session("main", id);
  sessionsJson(lab, "main", {
    "Agent:secret:main": { sessionId: "a" },
    "agent:main:main": { sessionId: "open" },
  });
  const agent = databaseOf(lab, "main");
  agent.addSession("in-db", conversation("in-db", 5), "agent:secret:x");
  for (const filter of [
    { agents: { deny: ["secret"] } },
    { agents: { deny: ["The Prof*"] } },
    { agents: { allow: ["main"] } },
  ]) {
    await lab.run({ filter });
    expect(lab.receivedSessions()).toEqual(["main/open"]);
  }
  await lab.run({ filter: { agents: { allow: ["main", "The Professor"] } } });
  expect(lab.receivedSessions()).toEqual(["main/a", "main/in-db", "main/open"]);
});

test.for([
  ["lists none of its sessions", { "agent:secret:main": null }, ""],
  ["is not there", null, ""],
  [
    "says nothing about one, and the agent has a folder",
    { "agent:main:x": { sessionId: "b" } },
    "a",
  ],
  ["has the key in capitals", { "AGENT:secret:main": { sessionId: "a" } }, ""],
  ["has the key with white space", { " agent:secret:main": { sessionId: "a" } }, ""],
] as const)(
  "P67: of a store that agents share, nothing leaves that may be a denied agent's, if the list %s",
  async ([, list, folder]) => {
    await using lab = await Lab.start();
    const dir = join(lab.dir, "shared");
    lab.hostConfig = { session: { store: join(dir, "sessions.json") } };
    for (const id of ["a", "b"]) write(join(dir, `${id}.jsonl`), lines(session(id)));
    if (list !== null) {
      const all = { ...list, "agent:main:main": { sessionId: "b" } };
      write(join(dir, "sessions.json"), JSON.stringify(all));
    }
    if (folder !== "") lab.session("secret", "c");
    await lab.run(denyAgents("secret"));
    expect(lab.receivedSessions()).toEqual(list === null ? [] : ["main/b"]);
  },
);

test("P67: of a folder with a list for each agent, one that has none yet keeps nothing here", async () => {
  await using lab = await Lab.start();
  const dir = join(lab.dir, "flat");
  lab.hostConfig = {
    session: { store: join(dir, "{agentId}.json") },
    agents: { list: [{ id: "main" }, { id: "fresh" }] },
  };
  for (const id of ["a", "unlisted"]) write(join(dir, `${id}.jsonl`), lines(session(id)));
  write(join(dir, "main.json"), JSON.stringify({ "agent:main:main": { sessionId: "a" } }));
  expect((await lab.run(denySessions("tmp-*"))).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/a", "main/unlisted"]);
});

test.for([
  ["damaged", (path: string) => write(path, '{"agent:main:main": {')],
  ["no object", (path: string) => write(path, "[]")],
  ["a folder", (path: string) => mkdirSync(path)],
] as const)(
  "P67: where sessions.json is %s, nothing leaves that might be denied, and it is told",
  async ([, make]) => {
    await using lab = await Lab.start();
    const path = sessionPath(lab.stateDir, "main", "sessions.json");
    lab.session("main", "abc");
    make(path);
    const overrides = denySessions("secret-*");
    const { code, out } = await lab.sync({ overrides });
    expect(lab.receivedSessions()).toEqual([]);
    expect(code).toBe(2);
    expect(out).toMatch(
      /main\/abc: not sent, because filter\.sessions\.deny cannot be decided.+sessions\.json/,
    );
    // Without such a filter there is nothing to decide.
    expect((await lab.sync()).code).toBe(0);
    expect(lab.receivedSessions()).toEqual(["main/abc"]);
  },
);

test("P67: a session in a database that does not say what it is called does not leave past a filter", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  for (const id of ["no-window", "bad-entry", "known"]) {
    agent.addSession(id, conversation(id, 5), `agent:main:${id}`);
    agent.addNode(`agent:main:${id}`, { sessionId: id });
  }
  agent.db.exec(
    "PRAGMA foreign_keys = OFF; DELETE FROM session_windows WHERE session_id = 'no-window'",
  );
  agent.db.exec(
    "UPDATE session_nodes SET entry_json = '{' WHERE session_key = 'agent:main:bad-entry'",
  );
  const report = await lab.run(denySessions("secret-*"));
  expect(lab.receivedSessions()).toEqual(["main/known"]);
  expect(report.failures.map(({ sessionId }) => sessionId).sort()).toEqual([
    "bad-entry",
    "no-window",
  ]);
});

test("P67: in a database without titles, sessions are told by id and key", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "main");
  for (const id of ["a", "b"]) agent.addSession(id, conversation(id, 5), `agent:main:tmp-${id}`);
  agent.db.exec("PRAGMA foreign_keys = OFF; DROP TABLE session_nodes");
  const report = await lab.run(denySessions("tmp-a"));
  expect(report.failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["main/b"]);
});

test("P68: a folder known under two names is one agent, sent once, under the name of the real folder", async () => {
  await using lab = await Lab.start();
  lab.session("private", "a");
  symlinkSync("private", join(lab.stateDir, "agents", "alias"));
  symlinkSync("private", join(lab.stateDir, "agents", "zz"));
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["private/a"]);
  const { agents } = JSON.parse((await lab.status({ json: true })).out);
  expect(agents).toMatchObject([{ agentId: "private", names: ["private", "alias", "zz"] }]);
});

const LINKS: Record<string, (lab: Lab) => void> = {
  "its folder": (lab) => symlinkSync("private", join(lab.stateDir, "agents", "alias")),
  "its sessions": (lab) => {
    mkdirSync(join(lab.stateDir, "agents", "alias"));
    symlinkSync("../private/sessions", join(lab.stateDir, "agents", "alias", "sessions"));
  },
  "the folder of its database": (lab) => {
    mkdirSync(join(lab.stateDir, "agents", "alias"));
    symlinkSync("../private/agent", join(lab.stateDir, "agents", "alias", "agent"));
  },
  "its database": (lab) => {
    mkdirSync(join(lab.stateDir, "agents", "alias", "agent"), { recursive: true });
    symlinkSync(
      "../../private/agent/openclaw-agent.sqlite",
      join(lab.stateDir, "agents", "alias", "agent", "openclaw-agent.sqlite"),
    );
  },
};

for (const [what, link] of Object.entries(LINKS)) {
  for (const denied of ["private", "alias"]) {
    test(`P68: with a link to ${what}, denying "${denied}" denies it under all its names`, async () => {
      await using lab = await Lab.start();
      lab.session("private", "a");
      lab.session("open", "b");
      databaseOf(lab, "private").addSession("c", conversation("c", 5));
      link(lab);
      await lab.run(denyAgents(denied));
      expect(lab.receivedSessions()).toEqual(["open/b"]);
    });
  }

  test(`P68: with a link to ${what}, each session is sent once`, async () => {
    await using lab = await Lab.start();
    lab.session("private", "a");
    databaseOf(lab, "private").addSession("c", conversation("c", 5));
    link(lab);
    const report = await lab.run();
    expect(lab.receivedSessions()).toEqual(["private/a", "private/c"]);
    expect(report.outcome).toBe("done");
  });
}

test("P68: a database that is linked hard is one agent's under all its names, and sent once", async () => {
  await using lab = await Lab.start();
  lab.session("open", "b");
  const agent = databaseOf(lab, "private");
  agent.addSession("c", conversation("c", 5));
  agent.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  mkdirSync(join(lab.stateDir, "agents", "alias", "agent"), { recursive: true });
  linkSync(
    join(lab.stateDir, "agents/private/agent/openclaw-agent.sqlite"),
    join(lab.stateDir, "agents/alias/agent/openclaw-agent.sqlite"),
  );
  for (const denied of ["private", "alias"]) {
    await lab.run(denyAgents(denied));
    expect(lab.receivedSessions()).toEqual(["open/b"]);
  }
  expect((await lab.run()).failures).toEqual([]);
  expect(lab.receivedSessions()).toEqual(["alias/c", "open/b"]);
});

test("P68: a link to a folder within a denied agent's lets nothing of it go, and allowing it lets go no more", async () => {
  await using lab = await Lab.start();
  lab.hostConfig = { agents: { list: [{ id: "private", name: "Ada" }] } };
  lab.session("open", "b");
  lab.session("private", "a");
  const dir = join(lab.stateDir, "agents/private/sessions/old");
  write(join(dir, "old1.jsonl"), lines(session("old1")));
  mkdirSync(join(lab.stateDir, "agents/pub"));
  symlinkSync("../private/sessions/old", join(lab.stateDir, "agents/pub/sessions"));
  for (const denied of ["private", "ada"]) {
    await lab.run(denyAgents(denied));
    expect(lab.receivedSessions()).toEqual(["open/b"]);
  }
  await lab.run({ filter: { agents: { allow: ["pub"] } } });
  expect(lab.receivedSessions()).toEqual(["open/b", "pub/old1"]);
});

/** Whether folders can be mounted here: it takes a name space of mounts. */
const canMount = spawnSync("unshare", ["-m", "true"]).status === 0;

test.skipIf(!canMount)(
  "P68: a folder that is mounted twice is one agent, and denying any of its names denies it",
  async () => {
    await using lab = await Lab.start();
    lab.session("private", "a");
    lab.session("open", "b");
    const alias = join(lab.stateDir, "agents/alias");
    mkdirSync(alias);
    const agentsOf = (overrides: object): Record<string, unknown>[] => {
      const script = 'mount --bind "$1" "$2" && exec "$3" "$4" "$5" "$6"';
      const program = join(import.meta.dirname, "../support/agents-seen.ts");
      const args = [join(lab.stateDir, "agents/private"), alias, process.execPath, program];
      const out = execFileSync(
        "unshare",
        ["-m", "sh", "-c", script, "sh", ...args, lab.stateDir, JSON.stringify(overrides)],
        { encoding: "utf8" },
      );
      return JSON.parse(out);
    };
    for (const denied of ["private", "alias"]) {
      expect(agentsOf({ agents: { deny: [denied] } })).toEqual([
        {
          names: ["alias", "private"],
          excludedBy: "filter.agents.deny",
          counts: expect.objectContaining({ found: 1, skipped: { "filter.agents.deny": 1 } }),
        },
        { names: ["open"], excludedBy: null, counts: expect.objectContaining({ pending: 1 }) },
      ]);
    }
  },
);

test("P68: folders outside that are linked twice are one agent", async () => {
  await using lab = await Lab.start();
  const outside = join(lab.dir, "outside");
  const path = lab.session("temporary", "a");
  cpSync(join(path, "../.."), outside, { recursive: true, preserveTimestamps: true });
  lab.session("main", "b");
  for (const name of ["second", "first"]) {
    symlinkSync(outside, join(lab.stateDir, "agents", name));
  }
  await lab.run(denyAgents("temporary"));
  expect(lab.receivedSessions()).toEqual(["first/a", "main/b"]);
});

test("P67: of an agent that is excluded nothing is opened by a run, and nothing wrong with it matters", async () => {
  await using lab = await Lab.start();
  const overrides = denyAgents("denied");
  lab.session("denied", "a");
  write(join(lab.stateDir, "agents/denied/agent/openclaw-agent.sqlite"), "damaged".repeat(1000));
  symlinkSync("/not/mounted/now", join(lab.stateDir, "agents/denied/sessions/x.jsonl"));
  for (const dryRun of [true, false]) {
    const { code, out } = await lab.sync({ overrides, dryRun });
    expect(code).toBe(0);
    expect(out).not.toMatch(/denied|Failed|No sessions were found/);
  }
  const status = JSON.parse((await lab.status({ overrides, json: true })).out);
  expect(status.counts).toMatchObject({ found: 1, skipped: { "filter.agents.deny": 1 } });
  expect(status.agents).toMatchObject([{ excludedBy: "filter.agents.deny", failures: [] }]);
  expect((await lab.status({ overrides, verbose: true })).out).toContain(
    "Agent denied (jsonl; excluded by filter.agents.deny)",
  );
});

test("P67: sync --agent takes any name of the agent", async () => {
  await using lab = await Lab.start();
  lab.session("my-agent", "a");
  lab.session("main", "b");
  symlinkSync("my-agent", join(lab.stateDir, "agents", "alias"));
  for (const agentId of ["My Agent", "ALIAS", "my-agent"]) {
    const { out, code } = await lab.sync({ agent: agentId, dryRun: true, json: true });
    expect([code, JSON.parse(out).failures]).toEqual([0, []]);
    expect(JSON.parse(out).sessions).toMatchObject([{ agentId: "my-agent", sessionId: "a" }]);
  }
  const { err, code } = await lab.sync({ agent: "my-*" });
  expect(code).toBe(1);
  expect(err).toContain('no agent "my-*"; there are: main, my-agent');
});

test("P67: a pattern that matches nothing is named by status and by sync --dry-run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "tmp-1");
  lab.session("scratch", "a");
  const overrides = {
    filter: {
      agents: { allow: ["main", "mian"], deny: ["scrach"] },
      sessions: { deny: ["tmp-*", "tpm-*"] },
    },
  };
  const words = [
    'filter.agents.allow: "mian" matches no agent',
    'filter.agents.deny: "scrach" matches no agent',
    'filter.sessions.deny: "tpm-*" matches no session',
  ];
  const human = [
    (await lab.status({ overrides })).out,
    (await lab.sync({ overrides, dryRun: true })).out,
  ];
  for (const out of human) {
    for (const word of words) expect(out).toContain(word);
    expect(out.match(/ matches no /g)).toHaveLength(3);
  }
  const json = [
    (await lab.status({ overrides, json: true })).out,
    (await lab.sync({ overrides, dryRun: true, json: true })).out,
  ];
  for (const out of json) {
    expect(JSON.parse(out).unmatched.map(({ pattern }: { pattern: string }) => pattern)).toEqual([
      "mian",
      "scrach",
      "tpm-*",
    ]);
  }
  // A log that says it every quarter of an hour would not be read any more.
  expect((await lab.serve(overrides)).join()).not.toContain("matches no");
});

test("P67: a new install is not told that its filters match nothing, nor is a look at one agent", async () => {
  await using lab = await Lab.start();
  const overrides = { filter: { sessions: { deny: ["tmp-*"] } } };
  expect((await lab.status({ overrides })).out).not.toContain("matches no");
  lab.session("main", "a");
  expect((await lab.sync({ overrides, agent: "main", dryRun: true })).out).not.toContain(
    "matches no",
  );
  expect((await lab.status({ overrides })).out).toContain("matches no");
});

test("P67: an agent that exists without a session is no typing error", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  mkdirSync(join(lab.stateDir, "agents", "later", "agent"), { recursive: true });
  lab.hostConfig = { agents: { list: [{ id: "main" }, { id: "configured" }] } };
  expect((await lab.status({ overrides: denyAgents("later", "configured") })).out).not.toContain(
    "matches no",
  );
});

/** Does something when the first round of an upload is planned, and then sends all there is, one session a round. */
async function syncAll(lab: Lab, pattern: string, meanwhile: () => void): Promise<RunReport> {
  let rounds = 0;
  return lab.run(
    { ...denySessions(pattern), upload: { maxFilesPerRun: 1 } },
    { all: true, events: { onPlan: () => rounds++ === 0 && meanwhile() } },
  );
}

const NAMED = ["u0", "u1", "u2", "u3"];

test("P67: a label that is set while sync --all runs is heeded from the next round on", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab, "ops");
  for (const id of NAMED) {
    lab.session("main", id);
    agent.addSession(id, conversation(id, 5), `agent:ops:${id}`);
  }
  lab.session("main", "open");
  const entriesOf = (label?: string) =>
    Object.fromEntries(NAMED.map((id) => [`agent:main:${id}`, { sessionId: id, label }]));
  sessionsJson(lab, "main", entriesOf());
  const report = await syncAll(lab, "private*", () => {
    sessionsJson(lab, "main", entriesOf("Private"));
    for (const id of NAMED) agent.addNode(`agent:ops:${id}`, { sessionId: id, label: "Private" });
  });
  // The session of the first round is on its way when the labels are set.
  const sent = lab.receivedSessions();
  expect(sent).toHaveLength(2);
  expect(sent).toContain("main/open");
  expect(report).toMatchObject({ outcome: "done", left: { sessions: 0 } });
});

test("P67: a list of sessions that is damaged while sync --all runs lets nothing more leave", async () => {
  await using lab = await Lab.start();
  for (const id of NAMED) lab.session("main", id);
  sessionsJson(lab, "main", {});
  const path = sessionPath(lab.stateDir, "main", "sessions.json");
  const report = await syncAll(lab, "private*", () => write(path, "{"));
  expect(lab.receivedSessions()).toHaveLength(1);
  expect(report).toMatchObject({ outcome: "partial", failed: 3, left: { sessions: 0 } });
});

test("P67: a session whose folder cannot be found while sync --all runs is pending until the next run", async () => {
  await using lab = await Lab.start();
  for (const id of NAMED) lab.session("main", id);
  lab.session("ops", "open");
  for (const agentId of ["main", "ops"]) sessionsJson(lab, agentId, {});
  const folder = join(lab.stateDir, "agents/main");
  const report = await syncAll(lab, "private*", () => renameSync(folder, join(lab.dir, "gone")));
  expect(lab.receivedSessions().length).toBeLessThan(3);
  expect(report.left.sessions).toBeGreaterThan(2);
});
