import { readFile } from "node:fs/promises";
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
import { expectOneDeliveryEach, heldBy, requestsWith } from "../support/deliveries.ts";
import {
  type Behaviour,
  type FaultServer,
  type RecordedRequest,
  startFaultServer,
} from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { finish } from "../support/openclaw-process.ts";
import { readTranscripts } from "../support/openclaw-transcripts.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

/** The two differ in how they reload plugins, and in whether a second Gateway may start. */
const VERSIONS = [JSONL_VERSION, SQLITE_VERSION];

/** Takes a lock on the state directory; an earlier one can be told to run beside another. */
const REFUSING = new Set([SQLITE_VERSION]);

/** Longer than an interval, and than a file of 2026.7.35 must lie still that seemed to shrink. */
const NEXT_RUN = { timeout: 60_000, interval: 250 };

/** The interval of the service, and at most the wait for its first run after a start. */
const EVERY_MS = 2000;

/** Jitter stretches an interval by a tenth: after this long a service that runs has run, and twice. */
const SURELY_A_RUN_MS = 4 * EVERY_MS;

/** From SIGTERM to exit. The host gives a service 5 s and needs some for itself. */
const PROMPT_MS = 10_000;

const ACCEPT: Behaviour = { kind: "accept" };

describe.each(VERSIONS)("the life of the plugin in OpenClaw %s", (version) => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let gateway: Gateway;
  let first: FaultServer;
  let second: FaultServer;
  let behaviour: Behaviour = ACCEPT;

  const config = (server: FaultServer, more: object = {}) => ({
    apiUrl: server.url,
    apiKey: "key",
    deploymentId: "host-test",
    projectId: "p-1",
    // What waits for an answer or a retry waits for longer than this test.
    upload: { every: `${EVERY_MS / 1000}s`, retryBackoffMs: 3_600_000, timeoutMs: 600_000 },
    filter: { minMessages: 1, minBytes: 1 },
    ...more,
  });
  const arrivedAt = (server: FaultServer): Promise<void> =>
    vi.waitFor(async () => {
      expect(heldBy(server)).toEqual(await readTranscripts(openclaw.stateDir));
    }, NEXT_RUN);
  const nextRequest = async (server: FaultServer, after: number): Promise<RecordedRequest> => {
    const request = () => server.requests[after];
    await vi.waitFor(() => expect(request()?.complete).toBe(true), NEXT_RUN);
    return request() as RecordedRequest;
  };
  const lastRunAt = async (): Promise<string> => {
    const path = join(openclaw.stateDir, "influxion", "last-run.json");
    return (JSON.parse(await readFile(path, "utf8")) as { at: string }).at;
  };
  const nextRun = async (): Promise<void> => {
    const since = new Date().toISOString();
    await vi.waitFor(async () => expect((await lastRunAt()) > since).toBe(true), NEXT_RUN);
  };
  const command = async (...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await openclaw.run(...args);
    expect(code, stdout + stderr).toBe(0);
  };
  const stopPromptly = async (): Promise<void> => {
    const from = performance.now();
    await gateway.stop();
    expect(performance.now() - from).toBeLessThan(PROMPT_MS);
  };

  beforeAll(async () => {
    const host = await openclawHost(version);
    model = await startStubModel();
    first = await startFaultServer({ script: () => behaviour });
    second = await startFaultServer({ script: () => behaviour });
    openclaw = await createOpenClaw({
      host,
      modelUrl: model.baseUrl,
      env: { OPENCLAW_ALLOW_MULTI_GATEWAY: "1" },
    });
    const install = await openclaw.install(inject("tarball"));
    expect(install.code, install.stderr).toBe(0);
    await openclaw.configurePlugin(config(first));
    gateway = await openclaw.startGateway();
  });

  beforeEach(() => {
    onTestFailed(() => tellLastWords(gateway));
  });

  afterAll(async () => {
    await gateway?.stop();
    await openclaw?.close();
    await Promise.all([first?.close(), second?.close(), model?.close()]);
  });

  test("P51: a Gateway that is stopped in the middle of an upload ends promptly, and nothing is requested afterwards", async () => {
    await gateway.turn("Confirmed before anything goes wrong");
    await arrivedAt(first);

    behaviour = { kind: "stall" };
    const before = first.requests.length;
    await gateway.turn("In flight when the Gateway is stopped");
    await nextRequest(first, before);
    await stopPromptly();
    await sleep(SURELY_A_RUN_MS);
    expect(first.requests).toHaveLength(before + 1);
    expect(first.openSockets()).toBe(0);
  });

  test("P51: so does one that is stopped in the middle of a back-off; it had tried the same part under the same key", async () => {
    const unconfirmed = first.requests.at(-1);
    behaviour = { kind: "status", status: 503 };
    const before = first.requests.length;
    gateway = await openclaw.startGateway();
    const { idempotencyKey, sha256 } = await nextRequest(first, before);
    expect({ idempotencyKey, sha256 }).toEqual({
      idempotencyKey: unconfirmed?.idempotencyKey,
      sha256: unconfirmed?.sha256,
    });

    // The answer has come by then. The back-off is jittered: minutes as a rule, but maybe none.
    await sleep(1000);
    await stopPromptly();
    const requests = first.requests.length;
    await sleep(SURELY_A_RUN_MS);
    expect(first.requests).toHaveLength(requests);
    expect(first.openSockets()).toBe(0);
  });

  test("P3: after a restart everything arrives, each line once, the unconfirmed part under its old key and with its old bytes", async () => {
    const unconfirmed = first.requests.at(-1) as RecordedRequest;
    behaviour = ACCEPT;
    gateway = await openclaw.startGateway();
    await gateway.turn("Said after the restart");
    await arrivedAt(first);
    expectOneDeliveryEach(first);

    const attempts = requestsWith(first, unconfirmed.idempotencyKey);
    const answers = attempts.map(({ behaviour }) => behaviour);
    expect([...new Set(answers)]).toEqual(["stall", "status", "accept"]);
    expect(answers.filter((answer) => answer === "accept")).toHaveLength(1);
    expect(new Set(attempts.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  test("P9: sync during a run of the service says who uploads and waits; nothing is delivered twice", async () => {
    const waits = Promise.withResolvers<void>();
    behaviour = { kind: "hold", until: waits.promise };
    const before = first.requests.length;
    await gateway.turn("Uploaded by the service while a command waits");
    await nextRequest(first, before);
    behaviour = ACCEPT;
    const waiting = /Waiting: the Gateway \(pid \d+\) has been uploading since/;
    const sync = await finish(openclaw.start("influxion", "sync"), 60_000, (stderr) => {
      if (waiting.test(stderr)) waits.resolve();
    });

    expect(sync.stderr).toMatch(waiting);
    expect(sync.code).toBe(0);
    await arrivedAt(first);
    expectOneDeliveryEach(first);
    const [held, next] = first.requests.slice(before);
    expect(next?.startedAt ?? Infinity).toBeGreaterThan(held?.completedAt ?? Infinity);
  });

  test("P9: a second Gateway on the same state directory does not upload beside the first, whether the host lets it run or refuses it", async () => {
    const refused = Promise.withResolvers<void>();
    const refuses = REFUSING.has(version);
    behaviour = refuses ? { kind: "hold", until: refused.promise } : { kind: "stall" };
    const before = first.requests.length;
    await gateway.turn("Uploaded by one of two Gateways");
    const inFlight = await nextRequest(first, before);
    behaviour = ACCEPT;

    const starting = openclaw.startSecondGateway();
    if (refuses) {
      await expect(starting).rejects.toThrow(
        /another OpenClaw process owns|gateway already running/,
      );
      expect(first.requests).toHaveLength(before + 1);
      refused.resolve();
    } else {
      await using other = await starting;
      await vi.waitFor(
        () => expect(other.log()).toMatch(/no upload this time: the Gateway \(pid \d+\) has been/),
        NEXT_RUN,
      );
      expect(first.requests).toHaveLength(before + 1);
      // With the first one gone, the other goes on with what was in flight.
      await stopPromptly();
      await arrivedAt(first);
      await other.stop();
      gateway = await openclaw.startGateway();
    }
    await arrivedAt(first);
    expectOneDeliveryEach(first);
    const attempts = requestsWith(first, inFlight.idempotencyKey);
    expect(attempts.map(({ behaviour }) => behaviour)).toEqual(
      refuses ? ["hold"] : ["stall", "accept"],
    );
  });

  test("P9: a config edit takes effect on the next run: the one to the old address ends, and nothing goes there any more", async () => {
    behaviour = { kind: "stall" };
    const before = first.requests.length;
    await gateway.turn("In flight to the old address");
    await nextRequest(first, before);
    behaviour = ACCEPT;
    await gateway.reload(() => openclaw.configurePlugin(config(second)));
    expect(first.openSockets()).toBe(0);

    await arrivedAt(second);
    await gateway.turn("For the new address only");
    await arrivedAt(second);
    expectOneDeliveryEach(second);
    expect(first.requests).toHaveLength(before + 1);
  });

  test("an agent that is denied while the Gateway runs is not uploaded any more, and goes on when it is allowed again", async () => {
    const { filter } = config(second);
    const agents = { deny: ["main"] };
    await gateway.reload(() =>
      openclaw.configurePlugin(config(second, { filter: { ...filter, agents } })),
    );
    const before = second.requests.length;
    await gateway.turn("Said by a denied agent");
    await nextRun();
    await nextRun();
    expect(second.requests).toHaveLength(before);

    await gateway.reload(() => openclaw.configurePlugin(config(second)));
    await arrivedAt(second);
    expectOneDeliveryEach(second);
  });

  test("P52: a plugin that is disabled requests nothing; enabled again, it goes on where it was", async () => {
    await gateway.reload(() => command("plugins", "disable", "influxion"));
    const before = second.requests.length;
    const ranAt = await lastRunAt();
    await gateway.turn("Said while the plugin is disabled");
    await sleep(SURELY_A_RUN_MS);
    expect(second.requests).toHaveLength(before);
    expect(await lastRunAt()).toBe(ranAt);

    await command("plugins", "enable", "influxion");
    await arrivedAt(second);
    expectOneDeliveryEach(second);
  });

  test("P52: uninstalled, it requests nothing; installed again, nothing is sent again and nothing warns", async () => {
    await gateway.reload(() => command("plugins", "uninstall", "influxion", "--force"));
    const before = second.requests.length;
    const ranAt = await lastRunAt();
    await gateway.turn("Said while the plugin is not there");
    await sleep(SURELY_A_RUN_MS);
    expect(second.requests).toHaveLength(before);
    expect(await lastRunAt()).toBe(ranAt);

    const install = await openclaw.install(inject("tarball"));
    expect(install.code, install.stderr).toBe(0);
    await openclaw.configurePlugin(config(second));
    await arrivedAt(second);
    expectOneDeliveryEach(second);

    const log = gateway.log();
    const ours = log
      .slice(log.lastIndexOf("config hot reload applied"))
      .split("\n")
      .filter((line) => line.includes("influxion: "));
    expect(ours.filter((line) => !line.includes("influxion: uploaded "))).toEqual([]);
    const doctor = await openclaw.run("plugins", "doctor");
    expect(doctor).toMatchObject({ code: 0, stderr: "" });
    expect(doctor.stdout).not.toMatch(/influxion/i);
    const status = await openclaw.run("influxion", "status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({ failing: [], problems: [] });
  });
});
