import { createHash } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { MISSING_EVERY_MS, MISSING_TIMES } from "../../src/ledger/target.ts";
import { IdleCache } from "../../src/run/idle-cache.ts";
import type { RunReport } from "../../src/run/report.ts";
import { run } from "../../src/run/run.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { runLimited } from "../support/limited.ts";
import {
  header,
  lines,
  message,
  rest,
  session,
  sessionPath,
  write,
} from "../support/transcripts.ts";

/** The runs of one service; `whole` counts those that were more than a look. */
function service(lab: Lab, overrides: Record<string, unknown> = {}) {
  const state = { whole: 0 };
  const runs = new IdleCache((options) => {
    state.whole++;
    return run(options);
  });
  return {
    state,
    run: (): Promise<RunReport> => runs.run(lab.options(overrides)),
    /** Runs until a run is no more than a look. */
    async untilIdle(): Promise<void> {
      for (let before = -1; before !== state.whole; ) {
        before = state.whole;
        await runs.run(lab.options(overrides));
        if (state.whole > 10) throw new Error("it never becomes idle");
      }
    },
  };
}

/** A lab with a session in a file and one in a database, both uploaded. */
async function uploaded(): Promise<{ lab: Lab; agent: AgentDb; path: string }> {
  const lab = await Lab.start();
  const agent = new AgentDb(lab.stateDir, { agentId: "ops" });
  agent.addSession("in-db", conversation("in-db", 5));
  const path = lab.session("main", "in-file");
  return { lab, agent, path };
}

/** An agent whose database, with one session, is where only the host's registry knows. */
function registered(lab: Lab): AgentDb {
  const path = join(lab.dir, "elsewhere", "moved.sqlite");
  const agent = new AgentDb(lab.stateDir, { agentId: "moved", path });
  agent.addSession("s", conversation("s", 5));
  const registry = join(lab.stateDir, "state", "openclaw.sqlite");
  mkdirSync(dirname(registry), { recursive: true });
  const db = new DatabaseSync(registry);
  db.exec("CREATE TABLE agent_databases (agent_id TEXT, path TEXT)");
  db.exec("CREATE TABLE heartbeat AS SELECT 0 AS at");
  db.prepare("INSERT INTO agent_databases VALUES ('moved', ?)").run(path);
  db.close();
  return agent;
}

/** The host writes to the database that its registry is in. */
function hostWrites(lab: Lab, sql: string): void {
  const db = new DatabaseSync(join(lab.stateDir, "state", "openclaw.sqlite"));
  db.exec(sql);
  db.close();
}

/** What is no session: caches, times, whatever OpenClaw keeps besides. It does so whenever it starts. */
function hostKeepsBooks({ db }: AgentDb): void {
  db.exec("CREATE TABLE IF NOT EXISTS cache_entries (at INTEGER)");
  db.exec("INSERT INTO cache_entries SELECT count(*) FROM cache_entries");
}

const CHANGES: Record<string, (found: Awaited<ReturnType<typeof uploaded>>) => void> = {
  "a session grew": ({ lab, path }) => lab.append(path, [message(9)]),
  "a session was rewritten with as many bytes": ({ path }) => {
    const other = lines(session("in-file")).replaceAll("hello", "hullo");
    writeFileSync(path, other);
    rest(path, 50);
  },
  "a session is new": ({ lab }) => lab.session("main", "new"),
  "an agent is new": ({ lab }) => lab.session("new", "new"),
  "a session in a database grew": ({ agent }) =>
    agent.append("in-db", [{ type: "message", id: "later" }]),
  "a session in a database was rewritten": ({ agent }) => {
    agent.renumber("in-db", conversation("in-db", 3));
  },
  "a session in a database is new": ({ agent }) =>
    agent.addSession("new-in-db", conversation("new-in-db", 5), "agent:ops:new"),
  "a session grew and was moved to cold storage": ({ agent }) => {
    agent.append("in-db", [{ type: "message", id: "later" }]);
    agent.moveToCold("in-db");
  },
  "an agent has its first database": ({ lab }) => {
    const db = new AgentDb(lab.stateDir, { agentId: "first" });
    db.addSession("s", conversation("s", 5));
    db.close();
  },
};

test("while nothing changes, a run is a look at names, sizes and times, and its report says the same", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  const { run, state, untilIdle } = service(lab);
  const first = await run();
  expect(first).toMatchObject({ outcome: "done", settled: false, sent: { sessions: 2 } });
  const nothing = await run();
  expect(nothing).toMatchObject({ outcome: "done", settled: true, sent: { sessions: 0 } });
  await untilIdle();

  const { whole } = state;
  const parts = lab.receiver.stats().parts;
  for (let n = 0; n < 3; n++) {
    const report = await run();
    expect({ ...report, startedAt: "", endedAt: "" }).toEqual({
      ...nothing,
      startedAt: "",
      endedAt: "",
    });
    expect(report.startedAt >= nothing.endedAt).toBe(true);
  }
  expect(state.whole).toBe(whole);
  expect(lab.receiver.stats().parts).toBe(parts);
  agent.close();
});

test("the first run of a process is a look, too, while nothing has changed since one that found nothing to do", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  await service(lab).untilIdle();
  const next = service(lab);
  const report = await next.run();
  expect(report).toMatchObject({ outcome: "done", settled: true, sent: { sessions: 0 } });
  expect(next.state.whole).toBe(0);
  expect(statSync(join(lab.stateDir, "influxion", "idle.json")).mode & 0o777).toBe(0o600);
  agent.close();
});

const STARTS: Record<string, (lab: Lab) => Record<string, unknown> | undefined> = {
  "another destination": () => ({ projectId: "other" }),
  "what happens to deleted sessions": () => ({ onDelete: "forget" }),
  "a filter": () => ({ filter: { sessions: { deny: ["in-file"] } } }),
  "the ledger's copy": ({ ledgerPaths: { copy } }) => void rmSync(copy),
  "a damaged note": ({ stateDir }) => {
    const path = join(stateDir, "influxion", "idle.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"done"', '"gone"'));
    return undefined;
  },
  "a note of an older form": ({ stateDir }) => {
    const path = join(stateDir, "influxion", "idle.json");
    const { token, report } = JSON.parse(readFileSync(path, "utf8").split("\n")[1] ?? "");
    const json = JSON.stringify({ token, report });
    writeFileSync(path, `${createHash("sha256").update(json).digest("hex")}\n${json}`);
    return undefined;
  },
  "a note that cannot be read": ({ stateDir }) => {
    const path = join(stateDir, "influxion", "idle.json");
    rmSync(path);
    mkdirSync(path);
    return undefined;
  },
};

for (const [what, change] of Object.entries(STARTS)) {
  test(`the first run of a process is a whole one with ${what}`, async () => {
    const { lab, agent } = await uploaded();
    await using _lab = lab;
    await service(lab).untilIdle();
    const next = service(lab, change(lab));
    expect((await next.run()).outcome).toBe("done");
    expect(next.state.whole).toBe(1);
    agent.close();
  });
}

for (const [what, change] of Object.entries(CHANGES)) {
  test(`P12: when ${what} between two processes, the first run is a whole one and sends it`, async () => {
    const found = await uploaded();
    await using lab = found.lab;
    await service(lab).untilIdle();
    change(found);
    expect((await service(lab).run()).sent.sessions).toBe(1);
    found.agent.close();
  });
}

for (const [what, isNew] of [
  ["a run", false],
  ["the first run of the next process", true],
] as const) {
  test(`whatever else the host writes into an agent's database, ${what} is a look`, async () => {
    const { lab, agent } = await uploaded();
    await using _lab = lab;
    let next = service(lab);
    await next.untilIdle();
    const { whole } = next.state;
    for (let n = 0; n < 3; n++) {
      if (isNew) next = service(lab);
      hostKeepsBooks(agent);
      expect(await next.run()).toMatchObject({ outcome: "done", settled: true });
    }
    expect(next.state.whole).toBe(isNew ? 0 : whole);
    agent.close();
  });
}

/** With nothing to do over a session in a database, after so many whole runs. */
async function idleService() {
  const { lab, agent } = await uploaded();
  const { run, state, untilIdle } = service(lab);
  await untilIdle();
  return { lab, agent, run, state, whole: state.whole };
}

const MOVES: Record<string, (agent: AgentDb) => void> = {
  "was deleted": (agent) => agent.deleteSession("in-db"),
  "was moved to cold storage": (agent) => void agent.moveToCold("in-db", "sqlite"),
  "has another generation": ({ db }) =>
    db.exec("UPDATE transcript_rewrite_watermarks SET generation = 'x'"),
  "was touched": (agent) => agent.touch("in-db"),
};

for (const [what, change] of Object.entries(MOVES)) {
  test(`when a session in a database ${what}, the next run is a whole one`, async () => {
    const { lab, agent, run, state, whole } = await idleService();
    await using _lab = lab;
    change(agent);
    await run();
    expect(state.whole).toBe(whole + 1);
    agent.close();
  });
}

test("P67: what a session in a database is called counts where the filter goes by it, and only there", async () => {
  const deny = { filter: { sessions: { deny: ["private"] } } };
  for (const [filter, whole] of [
    [deny, 1],
    [{}, 0],
  ] as const) {
    const { lab, agent } = await uploaded();
    await using _lab = lab;
    await service(lab, filter).untilIdle();
    agent.addNode("agent:ops:main", { sessionId: "in-db", label: "private" });
    const next = service(lab, filter);
    await next.run();
    expect(next.state.whole).toBe(whole);
    agent.close();
  }
});

test("P77: when a session in a database began counts where the filter goes by it, and only there", async () => {
  for (const [filter, whole] of [
    [{ since: "2026-10-01" }, 1],
    [{}, 0],
  ] as const) {
    const { lab, agent } = await uploaded();
    await using _lab = lab;
    await service(lab, { filter }).untilIdle();
    agent.db.exec("UPDATE session_windows SET created_at = created_at - 1000");
    const next = service(lab, { filter });
    await next.run();
    expect(next.state.whole).toBe(whole);
    agent.close();
  }
});

test("P12: what is written into a database while a run goes on that finds nothing is sent by the next one", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  await service(lab).untilIdle();
  rmSync(join(lab.stateDir, "influxion", "idle.json"));
  const runs = new IdleCache(async (options) => {
    const report = await run(options);
    if (report.settled) agent.append("in-db", [{ type: "message", id: "later" }]);
    return report;
  });
  expect((await runs.run(lab.options())).settled).toBe(true);
  hostKeepsBooks(agent);
  expect((await runs.run(lab.options())).sent.sessions).toBe(1);
  agent.close();
});

const UNREADABLE: Record<string, (agent: AgentDb) => void> = {
  locked: ({ db }) => {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  },
  damaged: (agent) => {
    agent.close();
    const bytes = readFileSync(agent.path);
    writeFileSync(agent.path, bytes.fill(0x2a, 4096));
  },
  empty: (agent) => {
    agent.close();
    writeFileSync(agent.path, "");
  },
  "of a shape that is not known": ({ db }) => {
    db.exec("ALTER TABLE transcript_events RENAME COLUMN seq TO number");
  },
};

for (const [what, change] of Object.entries(UNREADABLE)) {
  test(`P71: with a database that is ${what}, each run is a whole one and reports it`, async () => {
    const { lab, agent, run, state, whole } = await idleService();
    await using _lab = lab;
    change(agent);
    for (let n = 1; n <= 2; n++) {
      expect(await run()).toMatchObject({ settled: false, failed: 1 });
      expect(state.whole).toBe(whole + n);
    }
    agent.close();
  });
}

test("a database whose file has not changed is not read, also by the next process", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  agent.close();
  const then = new Date("2026-11-02T00:00:00Z");
  utimesSync(agent.path, then, then);
  await service(lab).untilIdle();
  const bytes = readFileSync(agent.path);
  writeFileSync(agent.path, bytes.fill(0x2a));
  utimesSync(agent.path, then, then);
  const next = service(lab);
  await next.run();
  expect(next.state.whole).toBe(0);
});

test("the database of an agent that is denied is not read, whatever is written into it", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  const deny = { filter: { agents: { deny: ["ops"] } } };
  await service(lab, deny).untilIdle();
  agent.close();
  writeFileSync(agent.path, readFileSync(agent.path).fill(0x2a));
  const next = service(lab, deny);
  await next.run();
  expect(next.state.whole).toBe(0);
});

test("P65: on the Gateway's own thread no database is opened, not even the driver loaded", async () => {
  await using lab = await Lab.start();
  const agent = registered(lab);
  const { out } = await runLimited("idle.ts", [lab.stateDir, agent.path]);
  expect(JSON.parse(out)).toEqual({ whole: 1, loaded: [] });
  agent.close();
});

for (const [what, change] of Object.entries(CHANGES)) {
  test(`P12: when ${what}, the next run is a whole one and sends it`, async () => {
    const found = await uploaded();
    await using lab = found.lab;
    const { run, untilIdle } = service(lab);
    await untilIdle();
    change(found);
    expect((await run()).sent.sessions).toBe(1);
    found.agent.close();
  });
}

test("P12: a database that only the host's registry knows is watched, and when a session in it grows, the next run sends it", async () => {
  await using lab = await Lab.start();
  const agent = registered(lab);
  const { run, state, untilIdle } = service(lab);
  await untilIdle();
  const { whole } = state;
  await run();
  expect(state.whole).toBe(whole);
  agent.append("s", [{ type: "message", id: "later" }]);
  expect((await run()).sent.sessions).toBe(1);
  agent.close();
});

test("whatever else the host writes into the database with its registry, a run is a look", async () => {
  await using lab = await Lab.start();
  const agent = registered(lab);
  const { run, state, untilIdle } = service(lab);
  await untilIdle();
  const { whole } = state;
  for (let n = 0; n < 3; n++) {
    hostWrites(lab, `UPDATE heartbeat SET at = ${n}`);
    await run();
  }
  expect(state.whole).toBe(whole);
  agent.close();
});

test("while the host's registry cannot be read, no run is a look: nobody would watch what it knows", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const registry = join(lab.stateDir, "state", "openclaw.sqlite");
  write(registry, "no database ".repeat(100));
  let whole = 0;
  const runs = new IdleCache(async () => {
    whole++;
    return { settled: true } as RunReport;
  });
  for (let n = 0; n < 3; n++) await runs.run(lab.options());
  expect(whole).toBe(3);
});

test("an agent that is new in the host's registry makes the next run a whole one", async () => {
  await using lab = await Lab.start();
  const agent = registered(lab);
  const { run, untilIdle } = service(lab);
  await untilIdle();
  const path = join(lab.dir, "elsewhere", "second.sqlite");
  const second = new AgentDb(lab.stateDir, { agentId: "second", path });
  second.addSession("t", conversation("t", 5));
  hostWrites(lab, `INSERT INTO agent_databases VALUES ('second', '${path}')`);
  expect((await run()).sent.sessions).toBe(1);
  agent.close();
  second.close();
});

test("a log that the host has emptied once more, as it does when it stops, is no change", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  agent.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const log = `${agent.path}-wal`;
  rest(agent.path, 50);
  await service(lab).untilIdle();
  expect(statSync(log).size).toBe(0);
  utimesSync(log, new Date(), new Date());
  const next = service(lab);
  await next.run();
  expect(next.state.whole).toBe(0);
  agent.close();
});

test("P12: a database that only the host's registry knows is no less watched by the next process", async () => {
  await using lab = await Lab.start();
  const agent = registered(lab);
  await service(lab).untilIdle();
  agent.append("s", [{ type: "message", id: "later" }]);
  expect((await service(lab).run()).sent.sessions).toBe(1);
  agent.close();
});

test("P67: when what a denied session is called has changed, the next run is a whole one", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const index = sessionPath(lab.stateDir, "main", "sessions.json");
  write(index, JSON.stringify({ "agent:main:private": { sessionId: "abc" } }));
  const { run, untilIdle } = service(lab, { filter: { sessions: { deny: ["*:private"] } } });
  await untilIdle();
  expect(lab.receivedSessions()).toEqual([]);
  write(index, JSON.stringify({ "agent:main:public": { sessionId: "abc" } }));
  expect((await run()).sent.sessions).toBe(1);
});

test("P12: a session where session.store has moved them makes the next run a whole one", async () => {
  await using lab = await Lab.start();
  const store = join(lab.dir, "moved", "{agentId}", "sessions.json");
  lab.hostConfig = { session: { store } };
  lab.session("main", "abc");
  const { run, untilIdle } = service(lab);
  await untilIdle();
  write(join(lab.dir, "moved", "main", "new.jsonl"), lines(session("new")));
  expect((await run()).sent.sessions).toBe(1);
});

test("P71: what cannot be looked at is never settled, so that it is told by every run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  symlinkSync("/not/mounted/now", join(lab.stateDir, "agents", "away"));
  const { run, state } = service(lab);
  for (let n = 1; n <= 3; n++) {
    expect(await run()).toMatchObject({ settled: false, failed: 1 });
    expect(state.whole).toBe(n);
  }
});

test("P11: a session that vanished is looked for until it is forgotten", async () => {
  const { lab, agent, path } = await uploaded();
  await using _lab = lab;
  const { run, state, untilIdle } = service(lab);
  await untilIdle();
  unlinkSync(path);
  const { whole } = state;
  await run();
  await run();
  expect(state.whole).toBe(whole + 2);
  for (let times = 0; times < MISSING_TIMES; times++) {
    lab.clockOffset += MISSING_EVERY_MS;
    await run();
  }
  await untilIdle();
  expect(await lab.record("main", "in-file")).toBeUndefined();
  agent.close();
});

test("when the ledger is gone, everything is sent again", async () => {
  const { lab, agent } = await uploaded();
  await using _lab = lab;
  const { run, untilIdle } = service(lab);
  await untilIdle();
  const { primary, copy } = lab.ledgerPaths;
  for (const file of [primary, copy]) rmSync(file);
  expect((await run()).sent.sessions).toBe(2);
  agent.close();
});

test("P23: a last line that is still being written is looked at again and again", async () => {
  await using lab = await Lab.start();
  const whole = lines(session("abc"));
  const path = write(sessionPath(lab.stateDir, "main", "abc.jsonl"), `${whole}{"type":"mess`);
  const { run, state } = service(lab);
  for (let n = 1; n <= 4; n++) {
    expect((await run()).settled).toBe(false);
    expect(state.whole).toBe(n);
  }
  write(path, `${whole}${message(9)}\n`);
  expect((await run()).sent.lines).toBe(1);
});

test("P13: a session that was touched moments ago is looked at again, although nothing of it is new", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const { run } = service(lab);
  await run();
  const now = Date.now() / 1000;
  utimesSync(path, now, now);
  expect((await run()).settled).toBe(false);
});

test("P34: a session that was put aside keeps runs whole, so that it is tried again when it is due", async () => {
  await using lab = await Lab.start();
  const server = await startFaultServer({ default: { kind: "status", status: 400 } });
  lab.session("main", "abc", [header("abc"), message(0), message(1), message(2), message(3)]);
  const { run, state } = service(lab, { apiUrl: server.url });
  for (let n = 1; n <= 3; n++) {
    expect(await run()).toMatchObject({ settled: false, failed: 1 });
    expect(state.whole).toBe(n);
  }
  lab.clockOffset = 2 * 3_600_000;
  const before = server.requests.length;
  await run();
  expect(server.requests).toHaveLength(before + 1);
  await server.close();
});

test("what filters keep back is settled, too", async () => {
  await using lab = await Lab.start();
  lab.session("denied", "abc");
  lab.session("main", "one", [header("one"), message(0, "x".repeat(1000))]);
  write(sessionPath(lab.stateDir, "main", "tiny.jsonl"), `${header("tiny")}\n`);
  const { run, state, untilIdle } = service(lab, { filter: { agents: { deny: ["denied"] } } });
  await untilIdle();
  const { whole } = state;
  await run();
  expect(state.whole).toBe(whole);
  lab.session("main", "two");
  expect((await run()).sent.sessions).toBe(1);
});
