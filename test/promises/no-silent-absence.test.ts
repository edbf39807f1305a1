import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { runLimited } from "../support/limited.ts";
import { lines, message, rest, session, sessionPath, write } from "../support/transcripts.ts";

const ARCHIVED = ".reset.2026-11-22T09-56-39.719Z";

/** What each of these says, and the exit code of `sync`. */
async function told(lab: Lab): Promise<{ code: number; sync: string; status: string }> {
  const dry = await lab.sync({ dryRun: true });
  const { code, out } = await lab.sync();
  expect(dry.code).toBe(code);
  return { code, sync: out, status: (await lab.status()).out };
}

test.skipIf(process.platform !== "linux")(
  "P71: a session whose file name is not UTF-8 is a failure, and everything else is sent",
  async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const dir = join(lab.stateDir, "agents/main/sessions/");
    for (const tail of [".jsonl", `.jsonl${ARCHIVED}`, ".trajectory.jsonl", ".tmp"]) {
      writeFileSync(
        Buffer.concat([Buffer.from(`${dir}caf`), Buffer.from([0xe9]), Buffer.from(tail)]),
        lines(session("x")),
      );
    }
    const { code, sync, status } = await told(lab);
    expect(lab.receivedSessions()).toEqual(["main/abc"]);
    expect(code).toBe(2);
    for (const out of [sync, status]) {
      expect(out).toContain("the name of caf\\xe9.jsonl is not UTF-8");
      expect(out).toContain(`the name of caf\\xe9.jsonl${ARCHIVED} is not UTF-8`);
      expect(out.match(/is not UTF-8/g)).toHaveLength(2);
    }
  },
);

const OBSTACLES: Record<string, { make: (path: string) => void; words: string }> = {
  "a file": { make: (path) => write(path, ""), words: "is no folder; move it away" },
  "a link that leads nowhere": {
    make: (path) => symlinkSync("/nowhere/influxion", path),
    words: "is a link that leads nowhere; bring back what it leads to, or remove the link",
  },
  "a link in a circle": {
    make: (path) => symlinkSync(path, path),
    words: "is a link that leads nowhere; bring back what it leads to, or remove the link",
  },
  "a link to a file": {
    make: (path) => {
      write(`${path}.txt`, "");
      symlinkSync(`${path}.txt`, path);
    },
    words: "is a link to what is no folder; remove the link",
  },
};

test.for(Object.keys(OBSTACLES))(
  "P71: %s where the plugin's folder should be is told as that, and nothing is sent",
  async (what) => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const path = join(lab.stateDir, "influxion");
    OBSTACLES[what]?.make(path);
    const status = await lab.status();
    const { code, err } = await lab.sync();
    const dry = await lab.sync({ dryRun: true });
    expect([status.code, code, dry.code]).toEqual([1, 1, 1]);
    for (const said of [status.out, err, dry.err]) {
      expect(said).toContain(`: ${path} ${OBSTACLES[what]?.words}\n`);
    }
    expect(lab.receiver.stats().parts).toBe(0);
  },
);

test("P71: nor is a link to a folder in the way, or a file where an earlier version had its folder", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  mkdirSync(join(lab.dir, "elsewhere"));
  symlinkSync(join(lab.dir, "elsewhere"), join(lab.stateDir, "influxion"));
  write(join(lab.stateDir, "extensions"), "");
  expect(await lab.run()).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
  expect((await lab.status()).code).toBe(0);
});

test.skipIf(process.platform === "win32")(
  "P71: a folder that can be listed and not entered is one failure, not one for each file",
  async () => {
    await using lab = await Lab.start();
    for (let n = 0; n < 50; n++) lab.session("shut", `s${n}`);
    lab.session("good", "abc");
    chmodSync(lab.dir, 0o755);
    lab.session("barred", "one");
    lab.session("closed", "one");
    // For whoever runs the tests and, where that is root, for nobody.
    const modes = { "shut/sessions": 0o444, "barred/sessions": 0o300, closed: 0o600 };
    const pathOf = (folder: string): string => join(lab.stateDir, "agents", folder);
    for (const [folder, mode] of Object.entries(modes)) chmodSync(pathOf(folder), mode);
    const { code, out, err } = await runLimited("look.ts", [lab.stateDir, "nobody"]);
    for (const folder of Object.keys(modes)) chmodSync(pathOf(folder), 0o755);
    expect(code, err).toBe(0);
    const { status, dryRun } = JSON.parse(out);
    const failures = Object.fromEntries(
      status.agents.map((agent: { agentId: string; failures: string[] }) => [
        agent.agentId,
        agent.failures,
      ]),
    );
    expect(failures).toEqual({
      good: [],
      shut: [expect.stringMatching(/cannot be read \(EACCES, it can be listed but not entered\)/)],
      barred: [expect.stringMatching(/cannot be read \(EACCES\)/)],
      closed: [
        expect.stringMatching(/sessions cannot be looked at: .+ cannot be reached \(EACCES\)/),
        expect.stringMatching(/database cannot be looked at: .+ cannot be reached \(EACCES\)/),
      ],
    });
    expect(status.problems).toEqual([]);
    expect(dryRun.failedAgents).toHaveLength(4);
  },
);

test("P71: what an archive ends with that nobody will finish is told, and the rest of it is sent", async () => {
  await using lab = await Lab.start();
  const whole = lines(session("abc"));
  write(sessionPath(lab.stateDir, "main", `abc.jsonl${ARCHIVED}`), `${whole}{"type":"mess`);
  lab.session("main", "other");
  for (let round = 0; round < 3; round++) {
    const { code, sync, status } = await told(lab);
    expect(code).toBe(0);
    expect(lab.received("main", "abc")).toBe(whole);
    // The run that sends the rest has not looked at the end yet.
    for (const out of round === 0 ? [status] : [sync, status]) {
      expect(out).toContain("its last line, 13 bytes long, was never finished and is not sent");
    }
    expect(status).not.toContain("still being written");
    expect(status).toMatch(/uploaded +2\n/);
  }
});

test("P24: an archive whose last line is whole and lacks the newline is sent to its end", async () => {
  await using lab = await Lab.start();
  const path = sessionPath(lab.stateDir, "main", `abc.jsonl${ARCHIVED}`);
  write(path, lines(session("abc")) + message(9));
  const { sync } = await told(lab);
  expect(sync).not.toContain("never finished");
  expect(lab.received("main", "abc")).toBe(`${readFileSync(path, "utf8")}\n`);
});

test.for([
  ["a session", "abc.jsonl"],
  ["an archive", `abc.jsonl${ARCHIVED}`],
] as const)(
  "P71: %s with carriage returns for newlines is a failure that says so",
  async ([, name]) => {
    await using lab = await Lab.start();
    write(sessionPath(lab.stateDir, "main", name), lines(session("abc")).replaceAll("\n", "\r"));
    lab.session("main", "other");
    const { code, sync, status } = await told(lab);
    expect(lab.receivedSessions()).toEqual(["main/other"]);
    expect(code).toBe(2);
    for (const out of [sync, status]) {
      expect(out).toMatch(/main\/abc: .+ separates its lines by carriage returns alone/);
    }
  },
);

test("P71: white space behind the last line is no line that is still being written", async () => {
  await using lab = await Lab.start();
  write(sessionPath(lab.stateDir, "main", "abc.jsonl"), `${lines(session("abc"))}  \t`);
  await lab.run();
  expect((await lab.status()).out).not.toContain("still being written");
});

test("P71: sessions that session.store moves are uploaded by every way in", async () => {
  await using lab = await Lab.start();
  const moved = join(lab.dir, "moved");
  lab.hostConfig = { session: { store: join(moved, "{agentId}", "sessions.json") } };
  write(join(moved, "main", "a.jsonl"), lines(session("a")));
  expect((await lab.status()).out).toContain("1 session found");
  const dry = JSON.parse((await lab.sync({ dryRun: true, json: true, agent: "main" })).out);
  expect(dry.sessions).toHaveLength(1);
  await lab.serve();
  expect(lab.receivedSessions()).toEqual(["main/a"]);
  // It goes on from there when it comes home.
  const home = sessionPath(lab.stateDir, "main", "a.jsonl");
  mkdirSync(dirname(home), { recursive: true });
  renameSync(join(moved, "main", "a.jsonl"), home);
  rmSync(moved, { recursive: true });
  lab.append(home, [message(9)]);
  expect((await lab.run()).sent.lines).toBe(1);
});

test("P71: a database that is a link is a failure that says so", async () => {
  await using lab = await Lab.start();
  const real = join(lab.dir, "real.sqlite");
  const agent = new AgentDb(lab.stateDir, { agentId: "main", path: real });
  agent.addSession("a", conversation("a", 5));
  agent.close();
  const path = join(lab.stateDir, "agents/main/agent/openclaw-agent.sqlite");
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(real, path);
  const { code, status } = await told(lab);
  expect(code).toBe(2);
  expect(status).toMatch(
    /main: .+openclaw-agent\.sqlite is a symlink, and only a regular file is read/,
  );
});

/** What makes an agent's sessions unreachable for a while, and what brings them back. */
const ABSENCES: Record<string, (lab: Lab) => { go: () => void; back: () => void }> = {
  "the disk of an agent is not mounted": (lab) => {
    const disk = join(lab.dir, "disk");
    const agent = join(lab.stateDir, "agents", "main");
    cpSync(agent, disk, { recursive: true, preserveTimestamps: true });
    rmSync(agent, { recursive: true });
    symlinkSync(disk, agent);
    return {
      go: () => renameSync(disk, `${disk}.away`),
      back: () => renameSync(`${disk}.away`, disk),
    };
  },
  "the disk of its sessions is not mounted": (lab) => {
    const disk = join(lab.dir, "disk");
    const sessions = join(lab.stateDir, "agents", "main", "sessions");
    cpSync(sessions, disk, { recursive: true, preserveTimestamps: true });
    rmSync(sessions, { recursive: true });
    symlinkSync(disk, sessions);
    return {
      go: () => renameSync(disk, `${disk}.away`),
      back: () => renameSync(`${disk}.away`, disk),
    };
  },
  "its sessions are something else": (lab) => {
    const sessions = join(lab.stateDir, "agents", "main", "sessions");
    return {
      go: () => {
        renameSync(sessions, `${sessions}.away`);
        writeFileSync(sessions, "");
      },
      back: () => {
        rmSync(sessions);
        renameSync(`${sessions}.away`, sessions);
      },
    };
  },
  "an agent is excluded": () => ({ go: () => undefined, back: () => undefined }),
};

for (const [what, prepare] of Object.entries(ABSENCES)) {
  test(`P71, P72: while ${what}, nothing of it is forgotten, for days`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "a");
    lab.session("ops", "b");
    const { go, back } = prepare(lab);
    expect((await lab.run()).sent.sessions).toBe(2);
    go();
    const overrides = what.includes("excluded") ? { filter: { agents: { deny: ["main"] } } } : {};
    for (const hours of [0, 25, 50, 75]) {
      lab.clockOffset = hours * 3_600_000;
      await lab.run(overrides);
    }
    back();
    expect((await lab.run()).sent.sessions).toBe(0);
    expect(await lab.record("main", "a")).toBeDefined();
  });
}

test("P71, P72: while the host's registry cannot be read, nothing is forgotten of the agents in it", async () => {
  await using lab = await Lab.start();
  const path = join(lab.dir, "moved.sqlite");
  const agent = new AgentDb(lab.stateDir, { agentId: "main", path });
  onTestFinished(() => agent.close());
  agent.addSession("a", conversation("a", 5));
  const registry = join(lab.stateDir, "state", "openclaw.sqlite");
  mkdirSync(dirname(registry), { recursive: true });
  const db = new DatabaseSync(registry);
  db.exec("CREATE TABLE agent_databases (agent_id TEXT, path TEXT)");
  db.prepare("INSERT INTO agent_databases VALUES ('main', ?)").run(path);
  db.close();
  lab.session("ops", "b");
  expect((await lab.run()).sent.sessions).toBe(2);
  const whole = readFileSync(registry);
  truncateSync(registry, 0);
  for (const hours of [0, 25, 50]) {
    lab.clockOffset = hours * 3_600_000;
    const { code, sync, status } = await told(lab);
    expect(code).toBe(2);
    expect(sync).toContain("Failed: OpenClaw's list of agent databases cannot be read");
    expect(status).toContain("OpenClaw's list of agent databases cannot be read");
  }
  writeFileSync(registry, whole);
  rest(registry);
  expect((await lab.run()).sent.sessions).toBe(0);
});
