import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  onTestFailed,
  test,
  vi,
} from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { testRoot } from "../support/certificate.ts";
import { heldBy } from "../support/deliveries.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { parseLines, readTranscripts, type Transcripts } from "../support/openclaw-transcripts.ts";
import { startProxyServer } from "../support/proxy-server.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

const VERSIONS = [JSONL_VERSION, SQLITE_VERSION];

/** Looked for in everything the plugin prints. */
const API_KEY = "sentinel-of-the-api-key-4711";
const SENTINEL = "sentinel-of-a-conversation";

/** Longer than an interval, and than a file of 2026.7.35 must lie still that seemed to shrink. */
const NEXT_RUN = { timeout: 60_000, interval: 250 };

describe.each(VERSIONS)("in OpenClaw %s", (version) => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let gateway: Gateway;
  let connects: string;

  const connectsTo = async (port: string): Promise<unknown[]> =>
    parseLines(await readFile(connects, "utf8").catch(() => "")).filter(
      (place) => String((place as { port: unknown }).port) === port,
    );
  const received = async (): Promise<Transcripts> =>
    Object.fromEntries(
      await Promise.all(
        receiver.sessions().map(async ({ agentId, sessionId, file }) => {
          const entries = parseLines(await readFile(file, "utf8"));
          return [`${agentId}/${sessionId}`, entries] as const;
        }),
      ),
    );
  const everythingArrived = (): Promise<void> =>
    vi.waitFor(async () => {
      expect(await received()).toEqual(await readTranscripts(openclaw.stateDir));
    }, NEXT_RUN);

  beforeAll(async () => {
    const host = await openclawHost(version);
    model = await startStubModel({
      answer: ({ said, toolResults }) =>
        said.startsWith("Run ") && toolResults === 0
          ? { toolCalls: [{ name: "exec", args: { command: said.slice("Run ".length) } }] }
          : { text: `Done: ${said} – ✓ ${SENTINEL}` },
    });
    openclaw = await createOpenClaw({
      host,
      modelUrl: model.baseUrl,
      env: {
        NODE_OPTIONS: `--import=${new URL("../support/openclaw-connects.mjs", import.meta.url)}`,
        CONNECTS_FILE: "connects.jsonl",
      },
    });
    connects = join(openclaw.dir, "connects.jsonl");
    receiver = await startReceiver({
      dir: join(openclaw.dir, "received"),
      key: API_KEY,
      port: 0,
    });
  });

  beforeEach(() => {
    onTestFailed(() => tellLastWords(gateway));
  });

  afterAll(async () => {
    await gateway?.stop();
    await receiver?.close();
    await model?.close();
    await openclaw?.close();
  });

  const config = (more: object = {}) => ({
    apiUrl: receiver.url,
    apiKey: API_KEY,
    deploymentId: "host-test",
    projectId: "p-1",
    upload: { every: "3s" },
    filter: { minMessages: 1, minBytes: 1 },
    ...more,
  });

  test("the packed plugin installs, and the host finds nothing wrong with it", async () => {
    const install = await openclaw.install(inject("tarball"));
    expect(install.stdout + install.stderr).toContain("Installed plugin: influxion");
    expect(install.code).toBe(0);

    const inspect = await openclaw.run("plugins", "inspect", "influxion");
    expect(inspect).toMatchObject({ code: 0, stderr: "" });
    expect(inspect.stdout).toMatch(/^Status: (enabled|loaded)$/m);

    const doctor = await openclaw.run("plugins", "doctor");
    expect(doctor).toMatchObject({ code: 0, stderr: "" });
    expect(doctor.stdout).not.toMatch(/influxion/i);
  });

  test("a wrong config leaves the Gateway running, and status names each wrong field", async () => {
    await openclaw.configurePlugin(
      config({
        apiUrl: 5,
        filter: { minMessages: "many" },
        upload: { every: "sometimes", retryAttempts: -1 },
      }),
    );
    gateway = await openclaw.startGateway();

    const status = await openclaw.run("influxion", "status");
    expect(status.code).toBe(1);
    for (const field of ["apiUrl", "filter.minMessages", "upload.every", "upload.retryAttempts"]) {
      expect(status.stdout).toContain(field);
      expect(gateway.log()).toContain(field);
    }
    expect(gateway.exitCode()).toBeNull();
    expect(receiver.stats().parts).toBe(0);
  });

  test("unconfigured: not one request, status included", async () => {
    // All but the key, so that it would be known where to send.
    const { apiKey: _, ...incomplete } = config({ upload: { every: "1s" } });
    await gateway.reload(() => openclaw.configurePlugin(incomplete));
    await gateway.turn(`Hello, ${SENTINEL}`);

    const status = await openclaw.run("influxion", "status", "--json");
    expect(status).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(status.stdout)).toMatchObject({
      configured: false,
      configProblems: [{ path: "apiKey" }],
    });
    // The first run of a configured plugin comes within the interval, and so do all others.
    await sleep(5000);
    expect(await connectsTo(new URL(receiver.url).port)).toEqual([]);
    // The recorder sees what the host does connect to.
    expect(await connectsTo(new URL(model.baseUrl).port)).not.toEqual([]);
  });

  test("the running Gateway takes up a new config, and its service uploads every session", async () => {
    await gateway.reload(() => openclaw.configurePlugin(config()));
    await gateway.turn(`Run echo ${SENTINEL} 🦞`);
    await everythingArrived();
    expect(JSON.stringify(await received())).toContain("toolResult");
  });

  test("a later turn sends its new lines only, each once", async () => {
    await gateway.turn("And now something else");
    await everythingArrived();
    const held = Object.values(await received()).flat().length;
    expect(receiver.stats()).toMatchObject({ accepted: held, rejected: 0, repeats: 0 });
  });

  test("a session that a reset ended is delivered to its last line, once", async () => {
    await gateway.turn("The last words before the reset");
    const params = JSON.stringify({ key: "agent:main:main" });
    const reset = await openclaw.run("gateway", "call", "sessions.reset", "--params", params);
    expect(reset.code).toBe(0);
    await gateway.turn("The first words after the reset");
    await everythingArrived();
  });

  test("status adds up, for eyes and as one JSON document", async () => {
    // The newer host loads no plugin whose folder changes meanwhile: a ledger in it would make
    // every command during an upload fail.
    const installed = await readdir(join(openclaw.stateDir, "extensions", "influxion"));
    expect(installed.filter((name) => /state|tmp/.test(name))).toEqual([]);
    const text = await openclaw.run("influxion", "status");
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toContain(receiver.url);

    const json = await openclaw.run("influxion", "status", "--json");
    expect(json).toMatchObject({ code: 0, stderr: "" });
    const sessions = receiver.sessions().length;
    expect(JSON.parse(json.stdout)).toMatchObject({
      configured: true,
      counts: { found: sessions, uploaded: sessions, pending: 0, failing: 0 },
      failing: [],
      problems: [],
    });
  });

  test("after a stop nothing arrives any more", async () => {
    await gateway.turn("Written when it is almost over");
    await gateway.stop();
    const { parts, repeats } = receiver.stats();
    const requests = (await connectsTo(new URL(receiver.url).port)).length;
    await sleep(5000);
    expect(receiver.stats()).toMatchObject({ parts, repeats });
    expect(await connectsTo(new URL(receiver.url).port)).toHaveLength(requests);
  });

  test("sync sends what is left, and nothing the second time", async () => {
    const sync = await openclaw.run("influxion", "sync");
    expect(sync).toMatchObject({ code: 0, stderr: "" });
    await everythingArrived();

    const { parts } = receiver.stats();
    const again = await openclaw.run("influxion", "sync", "--json");
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(again.stdout)).toMatchObject({
      outcome: "done",
      runs: [{ sent: { parts: 0 }, left: { sessions: 0 } }],
    });
    expect(receiver.stats()).toMatchObject({ parts, repeats: 0, refusals: {} });

    for (const printed of [sync.stdout, again.stdout]) {
      expect(printed).not.toContain(API_KEY);
      expect(printed).not.toContain(SENTINEL);
    }
  });

  test("P63: a command reaches an https API through a CONNECT proxy, which never sees the key", async () => {
    const api = await startFaultServer({ tls: testRoot });
    await using proxy = await startProxyServer({ port: api.port, credentials: "user:p%ss" });
    // Another destination receives every session.
    await openclaw.configurePlugin(
      config({
        apiUrl: "https://api.test",
        deploymentId: "behind-a-proxy",
        upload: { every: "0" },
      }),
    );
    const root = join(openclaw.dir, "root.pem");
    await writeFile(root, testRoot.cert);
    const env = {
      HTTPS_PROXY: `http://user:p%25ss@${proxy.address}`,
      NO_PROXY: "127.0.0.1",
      NODE_EXTRA_CA_CERTS: root,
    };
    const sync = await openclaw.runWith(env, "influxion", "sync", "--all");
    await api.close();
    expect(sync.code).toBe(0);
    expect(sync.stderr).toMatch(/^Note: first upload to .*\n$/);
    expect(heldBy(api)).toEqual(await readTranscripts(openclaw.stateDir));
    expect(proxy.requests.map(({ target }) => target)).toContain("api.test:443");
    expect(proxy.seen()).not.toContain(API_KEY);
  });

  test("the plugin's log holds neither the key nor conversations", () => {
    const lines = gateway.log().split("\n");
    const ours = lines.filter((line) => line.includes("influxion:"));
    expect(ours).not.toEqual([]);
    expect(ours.join("\n")).not.toContain(SENTINEL);
    expect(gateway.log()).not.toContain(API_KEY);
  });
});
