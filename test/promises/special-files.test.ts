import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { runLimited } from "../support/limited.ts";
import { lines, session, write } from "../support/transcripts.ts";

const isWindows = process.platform === "win32";

const DATABASE = "agents/evil/agent/openclaw-agent.sqlite";

/** An agent `evil` with a database, closed, in which one session is cold; returns the cold archive. */
function evilDatabase(lab: Lab, journal = "WAL"): string {
  const agent = new AgentDb(lab.stateDir, { agentId: "evil" });
  agent.addSession("live", conversation("live", 5));
  agent.addSession("cold", conversation("cold", 5));
  const archive = agent.moveToCold("cold");
  agent.db.exec(`PRAGMA journal_mode = ${journal}`);
  agent.close();
  return archive;
}

function registry(lab: Lab, path: string): void {
  mkdirSync(join(lab.stateDir, "state"), { recursive: true });
  const db = new DatabaseSync(join(lab.stateDir, "state", "openclaw.sqlite"));
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE agent_databases (agent_id TEXT, path TEXT)");
  db.prepare("INSERT INTO agent_databases VALUES ('evil', ?)").run(path);
  db.close();
}

/** A session that version 1 sent and that moved into the database since: its file is looked for. */
function imported(lab: Lab): string {
  const text = lines(session("live"));
  const record = {
    uploadedSizeBytes: text.length,
    uploadedLines: 5,
    etag: `sha256:${createHash("sha256").update(text).digest("hex")}`,
  };
  const files = { "agents/evil/sessions/live.jsonl": { ...record, uploadedAt: "" } };
  write(lab.ledgerPaths.earlier, JSON.stringify({ schemaVersion: 1, files }));
  return "agents/evil/session-sqlite-import-archive/main.live.jsonl.imported-1";
}

interface Place {
  /** Below the state directory. */
  readonly path: string | ((lab: Lab) => string);
  readonly before?: (lab: Lab) => unknown;
  /** Nothing can be uploaded while it is there. */
  readonly stopsAll?: true;
}

const PLACES: Record<string, Place> = {
  "a session": { path: "agents/evil/sessions/x.jsonl" },
  "the archive of a reset": {
    path: "agents/evil/sessions/x.jsonl.reset.2026-11-22T09-56-39.719Z",
  },
  "the list of sessions": {
    path: "agents/evil/sessions/sessions.json",
    before: (lab) => lab.session("evil", "y"),
  },
  "an agent's database": { path: DATABASE },
  "its write-ahead log": { path: `${DATABASE}-wal`, before: (lab) => evilDatabase(lab) },
  "its shared memory": { path: `${DATABASE}-shm`, before: (lab) => evilDatabase(lab) },
  "its journal": { path: `${DATABASE}-journal`, before: (lab) => evilDatabase(lab, "DELETE") },
  "a cold archive": { path: (lab) => evilDatabase(lab).slice(lab.stateDir.length + 1) },
  "an imported session": { path: imported, before: (lab) => evilDatabase(lab) },
  "the host's registry": { path: "state/openclaw.sqlite" },
  "the registry's write-ahead log": {
    path: "state/openclaw.sqlite-wal",
    before: (lab) => registry(lab, "elsewhere/x.sqlite"),
  },
  "a registered database": {
    path: "elsewhere/x.sqlite",
    before: (lab) => registry(lab, "elsewhere/x.sqlite"),
  },
  "the sessions of an agent": { path: "agents/evil/sessions" },
  "the folder of an agent's database": { path: "agents/evil/agent" },
  "an agent": { path: "agents/evil" },
  "what the last run was": { path: "influxion/last-run.json" },
  "the ledger": { path: "influxion/state.json", stopsAll: true },
  "its copy": { path: "influxion/state.copy.json", stopsAll: true },
  "the ledger of version 1": { path: "extensions/influxion/state.json", stopsAll: true },
};

for (const [what, { path, before, stopsAll }] of Object.entries(PLACES)) {
  test.skipIf(isWindows)(`P65: a FIFO in the place of ${what} is never waited for`, async () => {
    await using lab = await Lab.start();
    lab.session("good", "abc");
    before?.(lab);
    const fifo = join(lab.stateDir, typeof path === "string" ? path : path(lab));
    mkdirSync(dirname(fifo), { recursive: true });
    rmSync(fifo, { force: true });
    execFileSync("mkfifo", [fifo]);
    const { code, err } = await runLimited("look.ts", [lab.stateDir, "self"]);
    expect([code, err.match(/\w+ \d+ ms/g)?.length], err).toEqual([0, 4]);
    // It returns at once, so it can be called from here.
    if (stopsAll === true) {
      expect((await lab.sync()).err).toContain("is a FIFO");
      expect((await lab.status()).out).toContain("is a FIFO");
    } else {
      await lab.run();
      expect(lab.receivedSessions()).toContain("good/abc");
    }
  });
}

test.skipIf(isWindows)("P65: a FIFO in the place of all agents ends in a sentence", async () => {
  await using lab = await Lab.start();
  mkdirSync(lab.stateDir, { recursive: true });
  execFileSync("mkfifo", [join(lab.stateDir, "agents")]);
  expect((await runLimited("look.ts", [lab.stateDir, "self"])).code).toBe(0);
  expect(await lab.sync()).toMatchObject({ code: 2, err: expect.stringContaining("ENOTDIR") });
  expect((await lab.status()).out).toContain("agents cannot be read (ENOTDIR)");
});

test.skipIf(isWindows)("P65: a FIFO is told, with what is in its place and where", async () => {
  await using lab = await Lab.start();
  const archive = evilDatabase(lab);
  rmSync(archive);
  execFileSync("mkfifo", [archive]);
  mkdirSync(join(lab.stateDir, "agents/bad/agent"), { recursive: true });
  execFileSync("mkfifo", [join(lab.stateDir, "agents/bad/agent/openclaw-agent.sqlite")]);
  const { code, out } = await lab.sync();
  expect(code).toBe(2);
  expect(out).toMatch(/evil\/cold: the cold archive .+ is a FIFO/);
  expect(out).toMatch(
    /bad: the database of agent bad cannot be read: .+openclaw-agent\.sqlite is a FIFO/,
  );
});

test.skipIf(isWindows)("P65: a device or a link to one is not read", async () => {
  await using lab = await Lab.start();
  lab.session("good", "abc");
  const dir = join(lab.stateDir, "agents", "evil");
  mkdirSync(join(dir, "sessions"), { recursive: true });
  mkdirSync(join(dir, "agent"), { recursive: true });
  symlinkSync("/dev/zero", join(dir, "sessions", "x.jsonl"));
  symlinkSync("/dev/zero", join(dir, "sessions", "sessions.json"));
  symlinkSync("/dev/zero", join(dir, "agent", "openclaw-agent.sqlite"));
  expect((await runLimited("look.ts", [lab.stateDir, "self"])).code).toBe(0);
  const { code, out } = await lab.sync();
  expect(code).toBe(2);
  expect(out).toContain("x.jsonl: a symlink, which is not followed");
  expect(out).toContain("openclaw-agent.sqlite is a symlink, and only a regular file is read");
  expect(lab.receivedSessions()).toEqual(["good/abc"]);
});

test("P65: an archive that unpacks to more than any host makes is not unpacked to its end", async () => {
  await using lab = await Lab.start();
  const archive = evilDatabase(lab);
  writeFileSync(archive, zstdCompressSync(Buffer.alloc(300 * 1024 * 1024, "x")));
  const report = await lab.run();
  expect(report.failures).toEqual([
    expect.objectContaining({
      sessionId: "cold",
      reason: expect.stringContaining("unpacks to more than any the host makes"),
    }),
  ]);
});

test("P65: a registry or a list of sessions of terabytes is not read into memory", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const index = join(lab.stateDir, "agents/main/sessions/sessions.json");
  writeFileSync(index, "");
  truncateSync(index, 4 * 1024 ** 4);
  const { code, out } = await lab.sync({ overrides: { filter: { sessions: { deny: ["x"] } } } });
  expect(code).toBe(2);
  expect(out).toContain("larger than any that OpenClaw writes");
  expect(readdirSync(join(lab.stateDir, "agents/main/sessions"))).toHaveLength(2);
});
