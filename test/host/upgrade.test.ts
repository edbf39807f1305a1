import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import {
  parseLines,
  readEvents,
  readTranscripts,
  type Transcripts,
} from "../support/openclaw-transcripts.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

const API_KEY = "key-of-the-upgrade";

describe("P19: OpenClaw is upgraded from JSONL files to SQLite", { timeout: 480_000 }, () => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let gateway: Gateway;
  /** What was on disk, and all of it uploaded, before the last turns on the old host. */
  let uploaded: Transcripts;
  /** What was on disk when the old host ended. */
  let left: Transcripts;

  const install = async (): Promise<void> => {
    const { code, stdout, stderr } = await openclaw.install(inject("tarball"));
    expect(stdout + stderr).toContain("Installed plugin: influxion");
    expect(code).toBe(0);
  };
  /** @returns how many lines `sync` says it sent */
  const sync = async (): Promise<number> => {
    const { code, stdout, stderr } = await openclaw.run("influxion", "sync", "--json");
    expect(stderr).toMatch(/^(Note: first upload to .*\n)?$/);
    expect(code).toBe(0);
    const { outcome, runs } = JSON.parse(stdout) as {
      outcome: string;
      runs: { sent: { lines: number } }[];
    };
    expect(outcome).toBe("done");
    return runs.reduce((sum, { sent }) => sum + sent.lines, 0);
  };
  /** Every file that the receiver holds; one of a second generation would be one too many. */
  const held = async (): Promise<[string, unknown[]][]> =>
    Promise.all(
      receiver.sessions().map(async ({ agentId, sessionId, generation, lines, file }) => {
        const entries = parseLines(await readFile(file, "utf8"));
        expect({ generation, lines }).toEqual({ generation: 0, lines: entries.length });
        return [`${agentId}/${sessionId}`, entries];
      }),
    );
  const expectHeld = async (transcripts: Transcripts): Promise<void> => {
    const files = await held();
    expect(files).toHaveLength(Object.keys(transcripts).length);
    expect(Object.fromEntries(files)).toEqual(transcripts);
    expect(receiver.stats()).toMatchObject({
      accepted: count(transcripts),
      rejected: 0,
      repeats: 0,
      refusals: {},
    });
  };

  beforeAll(async () => {
    model = await startStubModel({
      answer: ({ said, toolResults }) =>
        said.startsWith("Run ") && toolResults === 0
          ? { toolCalls: [{ name: "exec", args: { command: said.slice("Run ".length) } }] }
          : { text: `Done: ${said} – ✓` },
    });
    openclaw = await createOpenClaw({
      host: await openclawHost(JSONL_VERSION),
      modelUrl: model.baseUrl,
      agentIds: ["main", "ops"],
    });
    receiver = await startReceiver({ dir: `${openclaw.dir}/received`, key: API_KEY, port: 0 });
  });

  afterAll(async () => {
    await gateway?.stop();
    await receiver?.close();
    await model?.close();
    await openclaw?.close();
  });

  test("before it, everything is uploaded but the last turns", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await install();
    await openclaw.configurePlugin({
      apiUrl: receiver.url,
      apiKey: API_KEY,
      deploymentId: "upgrade-test",
      projectId: "p-1",
      // Only `sync` uploads, so that it is known what was sent when.
      upload: { every: "0" },
      filter: { minMessages: 1, minBytes: 1 },
    });
    gateway = await openclaw.startGateway();
    await gateway.turn("The first words before a reset");
    const params = JSON.stringify({ key: "agent:main:main" });
    const reset = await openclaw.run("gateway", "call", "sessions.reset", "--params", params);
    expect(reset.code).toBe(0);
    await gateway.turn("Run echo 'naïve 🦞 \\u0000'");
    await gateway.turn("Hello", "agent:main:other");
    await gateway.turn("Hello", "agent:ops:main");

    uploaded = await readTranscripts(openclaw.stateDir);
    expect(Object.keys(uploaded)).toHaveLength(4);
    expect(await sync()).toBe(count(uploaded));
    await expectHeld(uploaded);

    await gateway.turn("Not uploaded before the upgrade", "agent:ops:main");
    // Long and repetitive, so that the database keeps it compressed.
    await gateway.turn("Run seq 1 2000");
    await gateway.stop();
    left = await readTranscripts(openclaw.stateDir);
    expect(count(left)).toBeGreaterThan(count(uploaded));
  });

  test("the host's doctor moves the sessions into databases, entry by entry", async () => {
    openclaw.upgrade(await openclawHost(SQLITE_VERSION));
    const doctor = await openclaw.run("doctor", "--fix", "--non-interactive", "--yes");
    expect(doctor.code, doctor.stdout + doctor.stderr).toBe(0);
    // Otherwise what follows would prove nothing.
    expect(await readTranscripts(openclaw.stateDir)).toEqual(left);
    const moved = Object.keys(await readEvents(openclaw.stateDir));
    // Only the one that a reset ended stays a file.
    expect(moved).toHaveLength(Object.keys(left).length - 1);
  });

  test("after it, each session goes on where its upload ended: every entry arrives once", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await install();
    gateway = await openclaw.startGateway();
    await gateway.turn("Run echo after the upgrade");
    await gateway.turn("And now in a database", "agent:ops:main");
    await gateway.turn("A session that never was a file", "agent:ops:new");

    const now = await readTranscripts(openclaw.stateDir);
    for (const [session, entries] of Object.entries(left)) {
      // The new host goes on in the old sessions rather than begin others.
      expect(now[session]?.slice(0, entries.length)).toEqual(entries);
    }
    expect(Object.keys(now)).toHaveLength(Object.keys(left).length + 1);
    expect(await sync()).toBe(count(now) - count(uploaded));
    await expectHeld(now);
  });

  test("and nothing is left to send", async () => {
    await gateway.stop();
    const { parts } = receiver.stats();
    expect(await sync()).toBe(0);
    expect(receiver.stats()).toMatchObject({ parts, repeats: 0 });
  });
});

function count(transcripts: Transcripts): number {
  return Object.values(transcripts).flat().length;
}
