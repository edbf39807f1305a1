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
import { expectOneDeliveryEach, heldBy } from "../support/deliveries.ts";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { readTranscripts } from "../support/openclaw-transcripts.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

/** From a change to its upload: half a minute without another change, and a minute from the run before. */
const SOON_AFTER = { timeout: 120_000, interval: 500 };

/** After this long a change would have been uploaded, in ms. */
const SURELY_UPLOADED_MS = 45_000;

describe.each([JSONL_VERSION, SQLITE_VERSION])(
  "uploads soon after changes in OpenClaw %s",
  (version) => {
    let openclaw: OpenClaw;
    let model: StubModel;
    let gateway: Gateway;
    let server: FaultServer;

    const arrived = (): Promise<void> =>
      vi.waitFor(async () => {
        expect(heldBy(server)).toEqual(await readTranscripts(openclaw.stateDir));
      }, SOON_AFTER);
    const lastRun = async (): Promise<{
      at: string;
      nextAt: string;
      report: { trigger: string };
    }> => JSON.parse(await readFile(join(openclaw.stateDir, "influxion", "last-run.json"), "utf8"));
    /** What the host's log file has of our runs. */
    const recorded = async (): Promise<Record<string, unknown>[]> => {
      const log = await readFile(join(openclaw.dir, "openclaw.log"), "utf8");
      return log
        .split("\n")
        .filter((line) => line.includes('"influxion: run"'))
        .map((line) => (JSON.parse(line) as Record<string, Record<string, unknown>>)["1"] ?? {});
    };

    beforeAll(async () => {
      const host = await openclawHost(version);
      model = await startStubModel();
      server = await startFaultServer();
      openclaw = await createOpenClaw({ host, modelUrl: model.baseUrl });
      const install = await openclaw.install(inject("tarball"));
      expect(install.code, install.stderr).toBe(0);
      await openclaw.configurePlugin({
        apiUrl: server.url,
        apiKey: "key",
        deploymentId: "host-test",
        projectId: "p-1",
        upload: { every: "1h" },
        filter: { minMessages: 1, minBytes: 1 },
      });
      gateway = await openclaw.startGateway();
    });

    beforeEach(() => {
      onTestFailed(() => tellLastWords(gateway));
    });

    afterAll(async () => {
      await gateway?.stop();
      await openclaw?.close();
      await Promise.all([server?.close(), model?.close()]);
    });

    test("P105: a turn is uploaded soon after, although the interval is an hour", async () => {
      // The first run, soon after the start, is the only one on the interval here.
      await vi.waitFor(lastRun, SOON_AFTER);
      await gateway.turn("Uploaded half a minute later");
      const from = performance.now();
      await arrived();
      expect(performance.now() - from).toBeGreaterThan(20_000);
      expectOneDeliveryEach(server);
      await vi.waitFor(async () => {
        expect((await recorded()).at(-1)).toMatchObject({
          outcome: "done",
          trigger: "change",
          sessions: 1,
          failed: 0,
          waiting: 0,
        });
      }, SOON_AFTER);
    });

    test("P107: sync is carried out by the Gateway, and status asks it", async () => {
      await gateway.turn("Uploaded by the Gateway for a command");
      const sync = await openclaw.run("influxion", "sync", "--json");
      expect(sync.code, sync.stderr).toBe(0);
      expect(JSON.parse(sync.stdout)).toMatchObject({
        outcome: "done",
        exitCode: 0,
        runs: [{ trigger: "command" }],
      });
      // Where the command takes longer to start than a change to be uploaded, the service was faster.
      expect(heldBy(server)).toEqual(await readTranscripts(openclaw.stateDir));
      expectOneDeliveryEach(server);
      // Only the service knows when it runs next.
      const { at, nextAt, report } = await lastRun();
      expect(report.trigger).toBe("command");
      expect(Date.parse(nextAt) - Date.parse(at)).toBeGreaterThanOrEqual(3_600_000);

      const status = await openclaw.run("influxion", "status", "--json");
      expect(JSON.parse(status.stdout)).toMatchObject({
        service: { running: null, next: { at: expect.any(Number) }, paused: null, failure: null },
      });
    });

    test("P106: while uploads are paused nothing leaves, also after a restart; resumed, it arrives", async () => {
      const pause = await openclaw.run("influxion", "pause", "--for", "1h");
      expect(pause.code, pause.stderr).toBe(0);
      const before = server.requests.length;
      await gateway.turn("Said while uploads are paused");
      const sync = await openclaw.run("influxion", "sync");
      expect(sync.code).toBe(3);
      expect(sync.stderr).toContain("uploads are paused until");
      await gateway.stop();
      gateway = await openclaw.startGateway();
      await sleep(SURELY_UPLOADED_MS);
      expect(server.requests).toHaveLength(before);

      const resume = await openclaw.run("influxion", "resume");
      expect(resume.stdout).toContain("Uploads go on");
      await arrived();
      expectOneDeliveryEach(server);
    }, 480_000);

    test("status and sync do without a Gateway that is not there", async () => {
      await gateway.stop();
      const status = await openclaw.run("influxion", "status", "--json");
      expect(JSON.parse(status.stdout)).toMatchObject({ service: null });
      const sync = await openclaw.run("influxion", "sync");
      expect(sync.code, sync.stderr).toBe(0);
    });
  },
);
