import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { type FilterOptions, readConfig } from "../../src/config/config.ts";
import { createFilter } from "../../src/config/filter.ts";
import { findAgents } from "../../src/stores/agents.ts";
import { readLayout } from "../../src/stores/layout.ts";
import { AgentDb, conversation, newStateDir } from "../support/agent-db.ts";
import { lines, session, sessionPath, write } from "../support/transcripts.ts";

interface Look {
  /** `agent/session` of all that is found, with the kind of store. */
  readonly sessions: string[];
  /** By agent: codes of its failures. */
  readonly failures: Record<string, string[]>;
  readonly others: string[];
}

async function look(
  stateDir: string,
  hostConfig: Record<string, unknown> = {},
  filter: { agents?: object; sessions?: object } = {},
): Promise<Look> {
  const config = readConfig({ apiKey: "k", deploymentId: "d", projectId: "p", filter });
  if (!config.ok) throw new Error("the config is wrong");
  const options: FilterOptions = config.config.filter;
  await using found = await findAgents({
    stateDir,
    layout: readLayout(hostConfig),
    filter: createFilter(options, 0),
    now: Date.now,
    knownBytes: () => undefined,
  });
  const sessions: string[] = [];
  const failures: Record<string, string[]> = {};
  for (const { agentId, stores, failures: failed } of found.agents) {
    const codes = failed.map(({ code }) => code);
    for (const store of stores) {
      const listing = await store.list();
      codes.push(...listing.failures.map(({ code }) => code));
      sessions.push(
        ...listing.streams.map(({ sessionId }) => `${agentId}/${sessionId} ${store.kind}`),
      );
    }
    if (codes.length > 0) failures[agentId] = codes;
  }
  return {
    sessions: sessions.sort(),
    failures,
    others: found.failures.map(({ code }) => code),
  };
}

const NO_FILTER = {
  byAgent: () => null,
  byAgentId: () => null,
  needsNames: false,
  needsAllNames: false,
  needsStart: false,
};

function database(stateDir: string, agentId: string, sessionId: string, path?: string): AgentDb {
  const agent = new AgentDb(stateDir, { agentId, ...(path === undefined ? {} : { path }) });
  agent.addSession(sessionId, conversation(sessionId, 3));
  onTestFinished(() => agent.close());
  return agent;
}

function registry(stateDir: string, rows: readonly (readonly unknown[])[]): void {
  mkdirSync(join(stateDir, "state"), { recursive: true });
  const db = new DatabaseSync(join(stateDir, "state", "openclaw.sqlite"));
  db.exec("CREATE TABLE agent_databases (agent_id, path)");
  const insert = db.prepare("INSERT INTO agent_databases VALUES (?, ?)");
  for (const row of rows) insert.run(...(row as [string, string]));
  db.close();
}

test("databases are found at their usual places and where the host's registry says", async () => {
  const stateDir = newStateDir();
  const elsewhere = join(newStateDir(), "agent", "lab.sqlite");
  database(stateDir, "main", "a");
  database(stateDir, "ops", "b", join(stateDir, "moved", "ops.sqlite"));
  database(stateDir, "lab", "c", elsewhere);
  registry(stateDir, [
    ["main", "agents/main/agent/openclaw-agent.sqlite"],
    ["ops", "moved/ops.sqlite"],
    ["lab", elsewhere],
    ["gone", "agents/gone/agent/openclaw-agent.sqlite"],
  ]);
  expect(await look(stateDir)).toEqual({
    sessions: ["lab/c sqlite", "main/a sqlite", "ops/b sqlite"],
    failures: {},
    others: [],
  });
});

test("a database of that name without transcripts, as older hosts have it, is no store", async () => {
  const stateDir = newStateDir();
  mkdirSync(join(stateDir, "agents", "main", "agent"), { recursive: true });
  const db = new DatabaseSync(join(stateDir, "agents", "main", "agent", "openclaw-agent.sqlite"));
  // All that 2026.7.35 keeps there.
  const tables = "schema_meta cache_entries auth_profile_store auth_profile_state";
  const memory = "memory_embedding_cache memory_index_chunks memory_index_meta memory_index_state";
  for (const table of `${tables} ${memory}`.split(" ")) db.exec(`CREATE TABLE ${table} (key TEXT)`);
  db.close();
  expect(await look(stateDir)).toMatchObject({ sessions: [], failures: {}, others: [] });
});

test.for([
  ["events of another name", "CREATE TABLE transcript_events_v2 (session_id, seq, event)"],
  ["events as a view", "CREATE VIEW transcript_events AS SELECT 'a' AS session_id"],
  ["sessions and no events", "CREATE TABLE session_records (id)"],
  ["conversations only", "CREATE TABLE conversations (id)"],
])("P22 P71: a database as a newer host may have it, with %s, is told", async ([, sql]) => {
  const stateDir = newStateDir();
  mkdirSync(join(stateDir, "agents", "main", "agent"), { recursive: true });
  const db = new DatabaseSync(join(stateDir, "agents", "main", "agent", "openclaw-agent.sqlite"));
  db.exec(`CREATE TABLE schema_meta (meta_key, schema_version); ${sql}`);
  db.close();
  await expect(look(stateDir)).rejects.toMatchObject({ code: "DB_SHAPE" });
});

test("a new database of the host's, without any session yet, is nothing to tell", async () => {
  const stateDir = newStateDir();
  new AgentDb(stateDir).close();
  expect(await look(stateDir)).toMatchObject({ sessions: [], failures: {}, others: [] });
});

test("P22: a database with the host's sessions and without a table of events is a store, and named", async () => {
  const stateDir = newStateDir();
  const agent = database(stateDir, "main", "a");
  agent.db.exec("ALTER TABLE transcript_events RENAME TO events");
  await expect(look(stateDir)).rejects.toMatchObject({ code: "DB_SHAPE" });
});

test("a host without agents has none, and no failure", async () => {
  const nothing = { sessions: [], failures: {}, others: [] };
  expect(await look(newStateDir())).toEqual(nothing);
  expect(await look(join(newStateDir(), "no", "state"))).toEqual(nothing);
});

test("P71: what is named like a database and is none is a failure", async () => {
  const stateDir = newStateDir();
  write(join(stateDir, "agents/main/agent/openclaw-agent.sqlite"), "x".repeat(5000));
  write(join(stateDir, "state/openclaw.sqlite"), "x".repeat(5000));
  expect(await look(stateDir)).toMatchObject({
    failures: { main: ["DB_DAMAGED"] },
    others: ["REGISTRY_UNREADABLE"],
  });
});

test.for([0, 1, 99, 511])(
  "P71: a database of %i bytes, as a power failure leaves it, is a failure",
  async (bytes) => {
    const stateDir = newStateDir();
    const agent = database(stateDir, "main", "a");
    agent.close();
    truncateSync(agent.path, bytes);
    write(join(stateDir, "state/openclaw.sqlite"), readFileSync(agent.path));
    expect(await look(stateDir)).toMatchObject({
      failures: { main: ["DB_EMPTY"] },
      others: ["REGISTRY_UNREADABLE"],
    });
  },
);

test.for([
  ["no id", null],
  ["an empty id", ""],
  ["an id that leads elsewhere", "../x"],
  ["bytes as id", new Uint8Array([1, 2])],
  ["a number as id", 7],
  ["a huge number as id", 2n ** 60n],
] as const)("P71: a row of the registry with %s is counted, and never used", async ([, id]) => {
  const stateDir = newStateDir();
  database(stateDir, "x", "secret", join(stateDir, "elsewhere.sqlite"));
  database(stateDir, "good", "a");
  registry(stateDir, [
    [id, "elsewhere.sqlite"],
    ["good", "agents/good/agent/openclaw-agent.sqlite"],
  ]);
  expect(await look(stateDir)).toMatchObject({
    sessions: ["good/a sqlite"],
    failures: {},
    others: ["REGISTRY_ROWS"],
  });
});

test.for([
  ["no path", null],
  ["an empty path", ""],
  ["bytes as path", new Uint8Array([47])],
  ["a number as path", 7],
  ["a huge number as path", 2n ** 60n],
  ["a path with a NUL in it", "a\u0000b"],
] as const)("P71: a row of the registry with %s is counted, and never used", async ([, path]) => {
  const stateDir = newStateDir();
  database(stateDir, "good", "a");
  registry(stateDir, [["evil", path]]);
  expect(await look(stateDir)).toMatchObject({
    sessions: ["good/a sqlite"],
    others: ["REGISTRY_ROWS"],
  });
});

test("a second database of an agent is left alone, and told", async () => {
  const stateDir = newStateDir();
  database(stateDir, "main", "a");
  database(stateDir, "main", "b", join(stateDir, "second.sqlite"));
  registry(stateDir, [["main", "second.sqlite"]]);
  expect(await look(stateDir)).toMatchObject({
    sessions: ["main/a sqlite"],
    failures: { main: ["SECOND_DATABASE"] },
  });
});

const DANGLING: Record<string, { link: string; reports: object }> = {
  "an agent's folder": { link: "agents/ops", reports: { failures: { ops: ["UNREACHABLE"] } } },
  "its sessions": { link: "agents/ops/sessions", reports: { failures: { ops: ["UNREACHABLE"] } } },
  "the folder of its database": {
    link: "agents/ops/agent",
    reports: { failures: { ops: ["UNREACHABLE"] } },
  },
  "its database": {
    link: "agents/ops/agent/openclaw-agent.sqlite",
    reports: { failures: { ops: ["UNREACHABLE"] } },
  },
  "the registry": {
    link: "state/openclaw.sqlite",
    reports: { others: ["REGISTRY_UNREADABLE"] },
  },
  "the folder of the registry": { link: "state", reports: { others: ["REGISTRY_UNREADABLE"] } },
};

for (const [what, { link, reports }] of Object.entries(DANGLING)) {
  for (const target of ["nowhere", "a loop"]) {
    test(`P71: a link in the place of ${what} that leads to ${target} is a failure`, async () => {
      const stateDir = newStateDir();
      database(stateDir, "good", "a");
      const path = join(stateDir, link);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(target === "nowhere" ? "/not/mounted/now" : path, path);
      expect(await look(stateDir)).toMatchObject({ sessions: ["good/a sqlite"], ...reports });
    });
  }
}

for (const [what, { path, reports }] of Object.entries({
  "an agent's folder, of which the registry has a database": {
    path: "agents/ops",
    reports: { failures: { ops: ["UNREACHABLE"] } },
  },
  "the folder of an agent's database": {
    path: "agents/ops/agent",
    reports: { failures: { ops: ["UNREACHABLE"] } },
  },
  "the folder of the registry": { path: "state", reports: { others: ["REGISTRY_UNREADABLE"] } },
})) {
  test(`P71: a file in the place of ${what} is a failure`, async () => {
    const stateDir = newStateDir();
    database(stateDir, "good", "a");
    if (path !== "state") registry(stateDir, [["ops", "agents/ops/agent/openclaw-agent.sqlite"]]);
    write(join(stateDir, path), "");
    expect(await look(stateDir)).toMatchObject({ sessions: ["good/a sqlite"], ...reports });
  });
}

test("P71: a link in the place of all agents that leads nowhere is said", async () => {
  const stateDir = newStateDir();
  symlinkSync("/not/mounted/now", join(stateDir, "agents"));
  await expect(look(stateDir)).rejects.toMatchObject({
    code: "FOLDER_UNREADABLE",
    message: expect.stringContaining("leads nowhere"),
  });
});

test("a file among the agents, or a link to one, is no agent", async () => {
  const stateDir = newStateDir();
  write(join(stateDir, "agents/.DS_Store"), "x");
  symlinkSync(".DS_Store", join(stateDir, "agents/link"));
  expect(await look(stateDir)).toMatchObject({ sessions: [], failures: {} });
});

test.skipIf(process.platform !== "linux")(
  "P71: a folder among the agents whose name is not UTF-8 is a failure, by its escaped name",
  async () => {
    const stateDir = newStateDir();
    write(sessionPath(stateDir, "good", "a.jsonl"), lines(session("a")));
    const bytes = Buffer.concat([Buffer.from(join(stateDir, "agents/caf")), Buffer.from([0xe9])]);
    mkdirSync(bytes);
    expect(await look(stateDir)).toMatchObject({
      sessions: ["good/a jsonl"],
      failures: { "caf\\xe9": ["NAME_NOT_UTF8"] },
    });
  },
);

test.for([
  ".git",
  "..x",
  "a:b",
  "a\\b",
  "a\nb",
  "a\u001b[2Jb",
  "a\u202eb",
  "a\ufffdb",
  "a b",
  "é",
  "-a",
])(
  "P71: a folder %j among the agents is no agent, and told if sessions are in it",
  async (name) => {
    const stateDir = newStateDir();
    mkdirSync(join(stateDir, "agents", name, "objects"), { recursive: true });
    write(sessionPath(stateDir, "good", "a.jsonl"), lines(session("a")));
    expect(await look(stateDir)).toMatchObject({ sessions: ["good/a jsonl"], failures: {} });
    write(sessionPath(stateDir, name, "b.jsonl"), lines(session("b")));
    expect(await look(stateDir)).toMatchObject({
      sessions: ["good/a jsonl"],
      failures: { [name]: ["AGENT_NAME"] },
    });
  },
);

test("what is excluded is not opened", async () => {
  const stateDir = newStateDir();
  write(join(stateDir, "agents/denied/agent/openclaw-agent.sqlite"), "x".repeat(5000));
  database(stateDir, "main", "a");
  const found = await look(stateDir, {}, { agents: { deny: ["denied"] } });
  expect(found).toMatchObject({ sessions: ["main/a sqlite"], failures: {} });
});

// session.store of hosts that keep sessions as files.

test("P71: sessions that session.store moves are found, agent by agent, also of agents that are configured no more", async () => {
  const stateDir = newStateDir();
  const data = newStateDir();
  for (const agent of ["main", "ops", "retired"]) {
    write(join(data, agent, "log", `of-${agent}.jsonl`), lines(session("x")));
  }
  write(sessionPath(stateDir, "main", "from-before.jsonl"), lines(session("x")));
  const hostConfig = {
    session: { store: join(data, "{agentId}", "log", "sessions.json") },
    agents: { list: [{ id: "Main" }, { id: "ops" }] },
  };
  expect(await look(stateDir, hostConfig)).toMatchObject({
    sessions: [
      "main/from-before jsonl",
      "main/of-main jsonl",
      "ops/of-ops jsonl",
      "retired/of-retired jsonl",
    ],
    failures: {},
    others: [],
  });
});

test("P71: a store that is the usual place is one store", async () => {
  const stateDir = newStateDir();
  write(sessionPath(stateDir, "main", "a.jsonl"), lines(session("a")));
  const store = join(stateDir, "agents", "{agentId}", "sessions", "sessions.json");
  expect((await look(stateDir, { session: { store } })).sessions).toEqual(["main/a jsonl"]);
});

test("P71: a session that is in the usual place and in that of session.store is sent from there, and told", async () => {
  const stateDir = newStateDir();
  const data = newStateDir();
  write(join(data, "main", "a.jsonl"), lines(session("a")));
  write(sessionPath(stateDir, "main", "a.jsonl"), lines(session("a", 1)));
  const hostConfig = { session: { store: join(data, "{agentId}", "sessions.json") } };
  await using found = await findAgents({
    stateDir,
    layout: readLayout(hostConfig),
    filter: NO_FILTER,
    now: Date.now,
    knownBytes: () => undefined,
  });
  const listing = await found.agents[0]?.stores[0]?.list();
  expect(listing?.streams.map(({ file }) => file?.path)).toEqual([join(data, "main", "a.jsonl")]);
  expect(listing?.problems).toMatchObject([{ message: expect.stringContaining("is not sent") }]);
});

/** A folder that all agents share, as an untemplated `session.store` makes it. */
function sharedStore(index?: string): { stateDir: string; store: string } {
  const stateDir = newStateDir();
  const data = newStateDir();
  for (const id of ["m1", "o1", "unlisted"]) {
    write(join(data, `${id}.jsonl`), lines(session(id)));
  }
  const store = join(data, "sessions.json");
  writeFileSync(
    store,
    index ??
      JSON.stringify({
        "agent:main:main": { sessionId: "m1" },
        "agent:ops:main": { sessionId: "o1" },
      }),
  );
  return { stateDir, store };
}

const TWO_AGENTS = { list: [{ id: "main", default: true }, { id: "ops" }] };

test("P71: of a store that several agents share, each session is its agent's; what no list names is the default agent's", async () => {
  const { stateDir, store } = sharedStore();
  const hostConfig = { session: { store }, agents: TWO_AGENTS };
  expect((await look(stateDir, hostConfig)).sessions).toEqual([
    "main/m1 jsonl",
    "main/unlisted jsonl",
    "ops/o1 jsonl",
  ]);
});

test("P67: of a store that several agents share, whose a session is must be known where a filter asks for it", async () => {
  const { stateDir, store } = sharedStore();
  await using found = await findAgents({
    stateDir,
    layout: readLayout({ session: { store }, agents: TWO_AGENTS }),
    filter: NO_FILTER,
    now: Date.now,
    knownBytes: () => undefined,
  });
  const streams = (await found.agents[0]?.stores[0]?.list())?.streams ?? [];
  const unknown = streams.map(({ sessionId, agentUnknown }) => [
    sessionId,
    agentUnknown !== undefined,
  ]);
  expect(unknown.sort()).toEqual([
    ["m1", false],
    ["unlisted", true],
  ]);
});

test("P71: of a store that several agents share, what no list names is the agent's that its recording names", async () => {
  const { stateDir, store } = sharedStore();
  const recording = { traceSchema: "openclaw-trajectory", sessionKey: "agent:ops:old" };
  write(join(dirname(store), "unlisted.trajectory.jsonl"), `${JSON.stringify(recording)}\n`);
  const hostConfig = { session: { store }, agents: TWO_AGENTS };
  expect((await look(stateDir, hostConfig)).sessions).toEqual([
    "main/m1 jsonl",
    "ops/o1 jsonl",
    "ops/unlisted jsonl",
  ]);
});

test("P71: a shared store whose list is damaged is a failure, because whose its sessions are cannot be told", async () => {
  const { stateDir, store } = sharedStore("{");
  const found = await look(stateDir, { session: { store }, agents: TWO_AGENTS });
  expect(found).toMatchObject({ sessions: [], failures: { main: ["INDEX_UNREADABLE"] } });
});

test("P71: one store for all in the folder of an agent keeps what no list names with that agent", async () => {
  const stateDir = newStateDir();
  write(sessionPath(stateDir, "ops", "old.jsonl"), lines(session("old")));
  write(sessionPath(stateDir, "ops", "m1.jsonl"), lines(session("m1")));
  const store = sessionPath(stateDir, "ops", "sessions.json");
  write(store, JSON.stringify({ "agent:main:main": { sessionId: "m1" } }));
  const found = await look(stateDir, { session: { store }, agents: TWO_AGENTS });
  expect(found.sessions).toEqual(["main/m1 jsonl", "ops/old jsonl"]);
});

test("P71: one folder with a list for each agent is divided by the lists", async () => {
  const stateDir = newStateDir();
  const data = newStateDir();
  for (const id of ["m1", "o1"]) write(join(data, `${id}.jsonl`), lines(session(id)));
  write(join(data, "main.json"), JSON.stringify({ main: { sessionId: "m1" } }));
  write(join(data, "ops.json"), JSON.stringify({ main: { sessionId: "o1" } }));
  const hostConfig = { session: { store: join(data, "{agentId}.json") }, agents: TWO_AGENTS };
  expect((await look(stateDir, hostConfig)).sessions).toEqual(["main/m1 jsonl", "ops/o1 jsonl"]);
});

test("P71: a session.store that leads nowhere is a failure", async () => {
  const stateDir = newStateDir();
  const link = join(newStateDir(), "link");
  symlinkSync("/not/mounted/now", link);
  for (const store of [join(link, "sessions.json"), join(link, "{agentId}", "sessions.json")]) {
    expect((await look(stateDir, { session: { store } })).others).toContain("UNREACHABLE");
  }
});
