import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import type { Gateway } from "../support/openclaw-gateway.ts";
import { openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { finish } from "../support/openclaw-process.ts";
import { readEvents } from "../support/openclaw-transcripts.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

const API_KEY = "key-of-the-databases";
const AGENT_IDS = ["main", "ops"];

/** The shortest that the host allows. */
const IDLE_MINUTES = 1;

/** Turns on the Gateway, alone and while an upload goes on. */
const TURNS = 5;

describe("sessions in databases, as today's OpenClaw writes them", { timeout: 480_000 }, () => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let slow: FaultServer;
  let gateway: Gateway;

  const config = (apiUrl: string) => ({
    apiUrl,
    apiKey: API_KEY,
    deploymentId: "sqlite-test",
    projectId: "p-1",
    // Only `sync` uploads, so that it is known when.
    upload: { every: "0" },
    filter: { minMessages: 1, minBytes: 1 },
  });
  const call = async (method: string, params: object): Promise<unknown> => {
    const args = [method, "--params", JSON.stringify(params), "--timeout", "60000", "--json"];
    const { code, stdout, stderr } = await openclaw.run("gateway", "call", ...args);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return JSON.parse(stdout);
  };
  const database = (agentId: string): string =>
    join(openclaw.stateDir, "agents", agentId, "agent", "openclaw-agent.sqlite");

  beforeAll(async () => {
    model = await startStubModel({
      answer: ({ said, toolResults }) =>
        said.startsWith("Run ") && toolResults === 0
          ? { toolCalls: [{ name: "exec", args: { command: said.slice("Run ".length) } }] }
          : { text: `Done: ${said.slice(0, 500)} – ✓` },
    });
    openclaw = await createOpenClaw({
      host: await openclawHost(SQLITE_VERSION),
      modelUrl: model.baseUrl,
      agentIds: AGENT_IDS,
      session: { reset: { mode: "idle", idleMinutes: IDLE_MINUTES } },
    });
    receiver = await startReceiver({ dir: join(openclaw.dir, "received"), key: API_KEY, port: 0 });
    slow = await startFaultServer({ default: { kind: "slow-read", bytes: 32_768, everyMs: 16 } });
    const install = await openclaw.install(inject("tarball"));
    expect(install.code).toBe(0);
    await openclaw.configurePlugin(config(receiver.url));
    gateway = await openclaw.startGateway();
  });

  afterAll(async () => {
    await gateway?.stop();
    await receiver?.close();
    await slow?.close();
    await model?.close();
    await openclaw?.close();
  });

  const tellLastWords = (): void => {
    // A failure in a host is told by the host.
    process.stderr.write(`The Gateway's last words:\n${gateway?.log().slice(-6000)}\n`);
  };

  test("tool calls, compressed events, a reset, a compaction and a rollover arrive byte for byte", async () => {
    onTestFailed(tellLastWords);
    await gateway.turn("Before the rollover", "agent:ops:main");
    const idleSince = Date.now();
    await gateway.turn("Run echo 'naïve 🦞 \\u0000'");
    await gateway.turn("Before the reset");
    await call("sessions.reset", { key: "agent:main:main" });
    await gateway.turn("Run seq 1 2000");
    for (let i = 0; i < 4; i++) await gateway.turn(`Before the compaction ${"word ".repeat(4000)}`);
    const compaction = await call("sessions.compact", { key: "agent:main:main" });
    expect(compaction).toMatchObject({ ok: true, compacted: true });
    await gateway.turn("After the compaction");
    await sleep(Math.max(0, idleSince + IDLE_MINUTES * 60_000 + 2000 - Date.now()));
    await gateway.turn("After the rollover", "agent:ops:main");

    const sync = await openclaw.run("influxion", "sync");
    expect(sync).toMatchObject({ code: 0, stderr: "" });
    const events = await readEvents(openclaw.stateDir);
    expect(await held(receiver)).toEqual(events);

    // What was to happen did happen.
    const types = Object.values(events)
      .flat()
      .map((text) => (JSON.parse(text) as { type: string }).type);
    expect(types).toEqual(expect.arrayContaining(["reset", "compaction"]));
    expect(Object.keys(events).filter((key) => key.startsWith("ops/"))).toHaveLength(2);
    expect(
      query(database("main"), "SELECT 1 FROM transcript_events WHERE event_zstd NOTNULL"),
    ).not.toEqual([]);
  });

  test("while a large transcript is uploaded, the host writes as if it were alone", async () => {
    onTestFailed(tellLastWords);
    await gateway.turn("The beginning of a very long conversation", "agent:ops:long");
    await gateway.stop();
    makeLong(database("ops"), "agent:ops:long");
    await openclaw.configurePlugin(config(slow.url));
    gateway = await openclaw.startGateway();

    const alone = await walOfTurns(gateway, database("ops"));
    const sync = openclaw.start("influxion", "sync", "--all", "--json");
    const ended = finish(sync, 300_000);
    await vi.waitFor(() => expect(slow.requests.length).toBeGreaterThan(2), 60_000);
    const beside = await walOfTurns(gateway, database("ops"));
    // Otherwise nothing was measured.
    expect(sync.exitCode).toBeNull();
    expect(beside).toBeLessThanOrEqual(alone * 1.5);
    // No reader is in the way of a checkpoint, which would be whole otherwise.
    await vi.waitFor(() => {
      const [{ busy, log, checkpointed } = {}] = checkpoint(database("ops"), "PASSIVE");
      expect({ busy, checkpointed }).toEqual({ busy: 0, checkpointed: log });
    });
    expect(sync.exitCode).toBeNull();

    const { code, stdout } = await ended;
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "done" });
    expect(code).toBe(0);
    expect(gateway.exitCode()).toBeNull();
    expect(gateway.log()).not.toMatch(/SQLITE_BUSY|SQLITE_LOCKED|database is locked/i);
  });
});

/** The lines of every file that the receiver holds. */
async function held(receiver: Receiver): Promise<Record<string, string[]>> {
  const files = receiver.sessions().map(async ({ agentId, sessionId, generation, file }) => {
    const session = generation === 0 ? sessionId : `${sessionId} (generation ${generation})`;
    const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
    return [`${agentId}/${session}`, lines] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

/** Some turns of the agent `ops`. @returns the largest size of the database's log meanwhile */
async function walOfTurns(gateway: Gateway, path: string): Promise<number> {
  checkpoint(path, "TRUNCATE");
  let peak = 0;
  const look = setInterval(() => {
    if (existsSync(`${path}-wal`)) peak = Math.max(peak, statSync(`${path}-wal`).size);
  }, 10);
  try {
    for (let i = 0; i < TURNS; i++) {
      expect(await gateway.turn("Run seq 1 2000", "agent:ops:main")).toMatch(/^Done/);
    }
  } finally {
    clearInterval(look);
  }
  return peak;
}

/** Appends 60 MB to the transcript of an agent whose Gateway has stopped, in entries that do not compress. */
function makeLong(path: string, sessionKey: string): void {
  const db = new DatabaseSync(path);
  try {
    const [last] = query(
      path,
      `SELECT session_id, max(seq) AS seq FROM transcript_events
       WHERE session_id = (SELECT current_session_id FROM session_nodes WHERE session_key = ?)`,
      sessionKey,
    );
    const insert = db.prepare(
      "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, ?)",
    );
    db.exec("BEGIN");
    for (let i = 1; i <= 200; i++) {
      const content = randomBytes(225_000).toString("base64");
      const entry = {
        type: "message",
        id: randomUUID().slice(0, 8),
        parentId: null,
        timestamp: new Date().toISOString(),
        message: { role: "user", content },
      };
      const at = [last?.session_id ?? "", Number(last?.seq) + i] as const;
      insert.run(...at, JSON.stringify(entry), Date.now());
    }
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

function checkpoint(path: string, mode: "PASSIVE" | "TRUNCATE"): Row[] {
  return query(path, `PRAGMA wal_checkpoint(${mode})`);
}

type Row = Record<string, string | number>;

function query(path: string, sql: string, ...values: string[]): Row[] {
  const db = new DatabaseSync(path, { timeout: 5000 });
  try {
    return db.prepare(sql).all(...values) as Row[];
  } finally {
    db.close();
  }
}
