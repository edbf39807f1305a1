import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { databaseChangeToken } from "../../src/stores/change-token.ts";
import { type Behaviour, type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { checkpoint, compressedIn, makeLong } from "../support/openclaw-database.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { finish } from "../support/openclaw-process.ts";
import { readEvents } from "../support/openclaw-transcripts.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

const ACCEPT: Behaviour = { kind: "accept" };

const API_KEY = "key-of-the-databases";
const AGENT_IDS = ["main", "ops"];

/** The shortest that the host allows. */
const IDLE_MINUTES = 1;

/** What is uploaded while the Gateway goes on, in bytes of transcript. */
const LONG_BYTES = 200_000_000;

/** Turns on the Gateway, alone and while an upload goes on. */
const TURNS = 5;

describe("sessions in databases, as today's OpenClaw writes them", { timeout: 480_000 }, () => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let uplink: FaultServer;
  let behaviour: Behaviour = ACCEPT;
  let gateway: Gateway;
  /** When the session that is to roll over was last touched, in milliseconds since the epoch. */
  let idleSince = 0;

  /** With `every: "0"` only `sync` uploads. */
  const config = (apiUrl: string, every: string) => ({
    apiUrl,
    apiKey: API_KEY,
    deploymentId: "sqlite-test",
    projectId: "p-1",
    upload: { every },
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
  const writtenAt = (path: string): number => statSync(join(openclaw.stateDir, path)).mtimeMs;

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
    uplink = await startFaultServer({ script: () => behaviour });
    const install = await openclaw.install(inject("tarball"));
    expect(install.code).toBe(0);
    await openclaw.configurePlugin(config(receiver.url, "2s"));
    gateway = await openclaw.startGateway();
  });

  afterAll(async () => {
    await gateway?.stop();
    await receiver?.close();
    await uplink?.close();
    await model?.close();
    await openclaw?.close();
  });

  test("tool calls, compressed events and a reset arrive through the service, byte for byte", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await gateway.turn("Before the rollover", "agent:ops:main");
    idleSince = Date.now();
    await gateway.turn("Run echo 'naïve 🦞 \\u0000'");
    await gateway.turn("Before the reset");
    await call("sessions.reset", { key: "agent:main:main" });
    await gateway.turn("Run seq 1 2000");
    await vi.waitFor(
      async () => expect(await held(receiver)).toEqual(await readEvents(openclaw.stateDir)),
      { timeout: 60_000, interval: 250 },
    );
    expect(compressedIn(database("main"))).toBeGreaterThan(0);
  });

  test("a compaction and a rollover arrive through sync, and nothing twice", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await gateway.reload(() => openclaw.configurePlugin(config(receiver.url, "0")));
    const { accepted } = receiver.stats();
    const compressed = compressedIn(database("main"));
    await gateway.turn("The beginning of a very long conversation", "agent:ops:long");
    for (let i = 0; i < 4; i++) await gateway.turn(`Before the compaction ${"word ".repeat(4000)}`);
    const compaction = await call("sessions.compact", { key: "agent:main:main" });
    expect(compaction).toMatchObject({ ok: true, compacted: true });
    await gateway.turn("After the compaction");
    await sleep(Math.max(0, idleSince + IDLE_MINUTES * 60_000 + 2000 - Date.now()));
    await gateway.turn("After the rollover", "agent:ops:main");
    // The service is silent, so what follows is the doing of `sync`.
    expect(receiver.stats()).toMatchObject({ accepted });

    const sync = await openclaw.run("influxion", "sync");
    expect(sync).toMatchObject({ code: 0, stderr: "" });
    const events = await readEvents(openclaw.stateDir);
    expect(await held(receiver)).toEqual(events);
    expect(receiver.stats()).toMatchObject({
      accepted: Object.values(events).flat().length,
      rejected: 0,
      repeats: 0,
    });

    // What was to happen did happen.
    const types = Object.values(events)
      .flat()
      .map((text) => (JSON.parse(text) as { type: string }).type);
    expect(types).toEqual(expect.arrayContaining(["reset", "compaction"]));
    expect(Object.keys(events).filter((key) => key.startsWith("ops/"))).toHaveLength(3);
    expect(compressedIn(database("main"))).toBeGreaterThan(compressed);
  });

  test("what arrived is what the host's own accessor gives, text for text", async () => {
    // It opens databases for writing, so the Gateway ends first.
    await gateway.stop();
    const arrived = await held(receiver);
    const script = join(import.meta.dirname, "../support/openclaw-accessor.mjs");
    const { code, stdout, stderr } = await openclaw.script(script, ...Object.keys(arrived));
    expect(code, stderr).toBe(0);
    const { listed, events } = JSON.parse(stdout) as {
      listed: string[];
      events: Record<string, string[]>;
    };
    expect(events).toEqual(arrived);
    expect(Object.keys(arrived)).toEqual(expect.arrayContaining(listed));
    expect(listed.length).toBeGreaterThanOrEqual(AGENT_IDS.length);
  });

  test("while 200 MB of a transcript are uploaded, the host writes as if it were alone", async () => {
    onTestFailed(() => tellLastWords(gateway));
    makeLong(database("ops"), "agent:ops:long", LONG_BYTES);
    await openclaw.configurePlugin(config(uplink.url, "0"));
    gateway = await openclaw.startGateway();

    const alone = await walOfTurns(gateway, database("ops"));
    // 2 MB a second: the whole would take longer than what happens beside it.
    behaviour = { kind: "slow-read", bytes: 32_768, everyMs: 16 };
    const sync = openclaw.start("influxion", "sync", "--all", "--json");
    const ended = finish(sync, 300_000);
    await vi.waitFor(() => expect(uplink.requests.length).toBeGreaterThan(2), 60_000);
    const beside = await walOfTurns(gateway, database("ops"));
    expect(beside).toBeLessThanOrEqual(alone * 1.5);
    // No reader is in the way of a checkpoint, which would be whole otherwise.
    await vi.waitFor(() => {
      const [{ busy, log, checkpointed } = {}] = checkpoint(database("ops"), "PASSIVE");
      expect({ busy, checkpointed }).toEqual({ busy: 0, checkpointed: log });
    });
    // Otherwise nothing was measured.
    expect(sync.exitCode).toBeNull();
    expect(sizeOf(uplink)).toBeLessThan(LONG_BYTES);

    // Nothing is measured any more, so the rest may be fast.
    behaviour = ACCEPT;
    const { code, stdout } = await ended;
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "done" });
    expect(code).toBe(0);
    expect(sizeOf(uplink)).toBeGreaterThan(LONG_BYTES);
    expect(gateway.exitCode()).toBeNull();
    expect(gateway.log()).not.toMatch(/SQLITE_BUSY|SQLITE_LOCKED|database is locked/i);
  });

  test("while nobody says anything, runs are looks, whatever the host writes meanwhile", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await gateway.reload(() => openclaw.configurePlugin(config(uplink.url, "2s")));
    const next = (path: string, timeout: number) => {
      const before = writtenAt(path);
      return vi.waitFor(() => expect(writtenAt(path)).not.toBe(before), { timeout, interval: 250 });
    };
    await vi.waitFor(
      async () => {
        // Each whole run that finds nothing to do writes it anew.
        const note = writtenAt("influxion/idle.json");
        // The database that the registry is in, to which the host writes every half minute.
        await next("state/openclaw.sqlite-wal", 60_000);
        // The run that is going on, and one that has begun since.
        for (let n = 0; n < 2; n++) await next("influxion/last-run.json", 20_000);
        expect(writtenAt("influxion/idle.json")).toBe(note);
      },
      // Moments after a turn the host still moves what it has written.
      { timeout: 240_000, interval: 1 },
    );
  });

  test("after a start with nothing said meanwhile the first run is a look, although the host has written to each database", async () => {
    onTestFailed(() => tellLastWords(gateway));
    const note = writtenAt("influxion/idle.json");
    await gateway.stop();
    const states = () => Promise.all(AGENT_IDS.map((id) => databaseChangeToken(database(id))));
    const before = await states();
    const run = writtenAt("influxion/last-run.json");
    gateway = await openclaw.startGateway();
    await vi.waitFor(() => expect(writtenAt("influxion/last-run.json")).not.toBe(run), 60_000);
    // Otherwise nothing was tested.
    for (const [at, state] of (await states()).entries()) expect(state).not.toBe(before[at]);
    expect(writtenAt("influxion/idle.json")).toBe(note);
  });
});

/** The size of the lines that a server holds, in characters. */
function sizeOf({ stored }: FaultServer): number {
  return [...stored.values()].flat().reduce((sum, line) => sum + line.length, 0);
}

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
