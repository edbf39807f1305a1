import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import plugin from "../../src/index.ts";
import { startUploads } from "../../src/openclaw/gateway.ts";
import { createScheduler } from "../../src/openclaw/scheduler.ts";
import type { Uploads } from "../../src/openclaw/uploads.ts";
import { type Behaviour, type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { header, message } from "../support/transcripts.ts";

const MINUTE = 60_000;

afterEach(() => {
  vi.useRealTimers();
});

/** A scheduler on a fake clock that counts its runs; each takes `tookMs`. */
function counted(everyMs: number, tookMs = 0, random = 0) {
  vi.useFakeTimers();
  const state = { runs: 0, running: 0, most: 0 };
  const scheduler = createScheduler({
    everyMs,
    now: Date.now,
    random: () => random,
    async run({ signal }) {
      state.runs++;
      state.running++;
      state.most = Math.max(state.most, state.running);
      await new Promise<void>((done) => {
        const timer = setTimeout(done, tookMs);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          done();
        });
      });
      state.running--;
      return { kind: "done" };
    },
  });
  return { state, scheduler };
}

test("P10: a run that is still going when the next is due is not doubled", async () => {
  const { state, scheduler } = counted(MINUTE, 10 * MINUTE);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(35 * MINUTE);
  expect(state).toMatchObject({ runs: 4, most: 1 });
  await scheduler.stop();
});

test("P51: stop returns within a second, whatever a run is stuck in", async () => {
  vi.useFakeTimers();
  const scheduler = createScheduler({
    everyMs: MINUTE,
    now: Date.now,
    random: () => 0,
    run: () => new Promise(() => undefined),
  });
  scheduler.start();
  await vi.advanceTimersByTimeAsync(MINUTE);
  const stopped = scheduler.stop();
  await vi.advanceTimersByTimeAsync(1000);
  await stopped;
  expect(vi.getTimerCount()).toBe(0);
});

test("P50: starts and intervals are jittered", async () => {
  const starts = [];
  for (const random of [0, 0.5, 0.999]) {
    const { state, scheduler } = counted(15 * MINUTE, 0, random);
    const from = Date.now();
    scheduler.start();
    while (state.runs < 2) await vi.advanceTimersByTimeAsync(500);
    starts.push(Date.now() - from);
    await scheduler.stop();
    vi.useRealTimers();
  }
  expect(starts[1]).toBeGreaterThan((starts[0] ?? 0) + 30_000);
  expect(starts[2]).toBeGreaterThan((starts[1] ?? 0) + 30_000);
});

test("P50: a first run does not wait longer than an interval", async () => {
  const { state, scheduler } = counted(6000, 0, 0.999);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(6000);
  expect(state.runs).toBe(1);
  await scheduler.stop();
});

test("P53: a laptop asleep for a night gives one catch-up run", async () => {
  const { state, scheduler } = counted(15 * MINUTE);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(state.runs).toBe(1);
  // The wall clock goes on while timers stand still.
  vi.setSystemTime(Date.now() + 8 * 60 * MINUTE);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(state.runs).toBe(2);
  await vi.advanceTimersByTimeAsync(14 * MINUTE);
  expect(state.runs).toBe(2);
  await scheduler.stop();
});

test("P53: a clock that is set back by a year does not stop the interval", async () => {
  const { state, scheduler } = counted(15 * MINUTE);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(MINUTE);
  vi.setSystemTime(Date.now() - 365 * 24 * 60 * MINUTE);
  await vi.advanceTimersByTimeAsync(17 * MINUTE);
  expect(state.runs).toBe(2);
  await scheduler.stop();
});

test("an interval longer than setTimeout can hold is waited for, not run at once", async () => {
  const { state, scheduler } = counted(30 * 24 * 60 * MINUTE);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(29 * 24 * 60 * MINUTE);
  expect(state.runs).toBe(1);
  await vi.advanceTimersByTimeAsync(2 * 24 * 60 * MINUTE);
  expect(state.runs).toBe(2);
  await scheduler.stop();
});

test('an interval of "0" never runs', async () => {
  const { state, scheduler } = counted(0);
  scheduler.start();
  await vi.advanceTimersByTimeAsync(60 * MINUTE);
  expect(state.runs).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  await scheduler.stop();
});

/** Files and sockets this process has open, as the kernel sees them. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(join("/proc/self/fd", fd))];
    } catch {
      return [];
    }
  });
}

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

/** The service as the Gateway starts it, with the first run made to come at once. */
async function serving(lab: Lab, server: FaultServer, upload: object = {}): Promise<Uploads> {
  const logger = { info: () => undefined, warn: () => undefined };
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  const { setTimeout: realTimeout } = globalThis;
  const quick = vi
    .spyOn(globalThis, "setTimeout")
    .mockImplementation(((work: () => void, ms: number, ...rest: []) =>
      realTimeout(work, ms > 4_500 && ms <= 5_000 ? 1 : ms, ...rest)) as typeof setTimeout);
  const scheduler = startUploads(
    { stateDir: lab.stateDir, config: {} as never, logger },
    {
      apiUrl: server.url,
      apiKey: API_KEY,
      deploymentId: "lab",
      projectId: "project",
      upload: { retryBackoffMs: 3_600_000, ...upload },
    },
  );
  scheduler.start();
  await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0), 5000);
  random.mockRestore();
  quick.mockRestore();
  return scheduler;
}

for (const [name, behaviour] of [
  ["an upload", { kind: "stall" }],
  ["a back-off sleep", { kind: "status", status: 503 }],
  ["an upload to a server that stopped reading", { kind: "stop-reading", afterBytes: 10 }],
] satisfies [string, Behaviour][]) {
  test(`P51: stop during ${name} returns within a second; afterwards not one request, timer or open file`, async () => {
    await using lab = await Lab.start();
    const { randomBytes } = await import("node:crypto");
    const noise = Array.from({ length: 60 }, (_, n) =>
      message(n, randomBytes(75_000).toString("base64")),
    );
    lab.session("main", "abc", [header("abc"), ...noise]);
    let isStopped = false;
    const server = await startFaultServer({ script: () => (isStopped ? undefined : behaviour) });
    const timersBefore = timers();
    const scheduler = await serving(lab, server);
    await new Promise((done) => setTimeout(done, 100));
    const asked = server.requests.length;
    const start = performance.now();
    await scheduler.stop();
    expect(performance.now() - start).toBeLessThan(1000);
    isStopped = true;
    expect(openFiles().filter((file) => file.startsWith(lab.stateDir))).toEqual([]);
    expect(timers()).toBeLessThanOrEqual(timersBefore);
    // A server that stopped reading does not see that its client has gone.
    if (behaviour.kind !== "stop-reading") {
      await vi.waitFor(() => expect(server.openSockets()).toBe(0), 1000);
    }
    await new Promise((done) => setTimeout(done, 200));
    expect(server.requests).toHaveLength(asked);
    // Nothing is lost: the next run sends what this one could not, under its key.
    const report = await lab.run({ apiUrl: server.url });
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 61 } });
    const keys = server.requests.map(({ idempotencyKey }) => idempotencyKey);
    expect(new Set(keys).size).toBe(1);
    await server.close();
  });
}

test("P52: a config change takes effect on the next run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("ops", "def");
  await lab.run({ filter: { agents: { deny: ["ops"] } } });
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
  await lab.run();
  expect(lab.receivedSessions()).toEqual(["main/abc", "ops/def"]);
});

/** What `register` asks of the host, written down. */
function fakeHost(registrationMode: string) {
  const calls: string[] = [];
  const services: { start: (context: unknown) => unknown; stop: () => Promise<void> }[] = [];
  const api = {
    registrationMode,
    pluginConfig: {},
    registerCli: () => calls.push("cli"),
    registerService: (service: (typeof services)[number]) => {
      calls.push("service");
      services.push(service);
    },
    // On newer hosts any access of this throws while commands are only collected.
    get runtime(): never {
      throw new Error("runtime is not there yet");
    },
  };
  return { api: api as never, calls, services };
}

test("P54: register called several times in one process has no side effects", () => {
  const before = openFiles().length;
  for (const mode of ["full", "discovery", "full", "tool-discovery"]) {
    const host = fakeHost(mode);
    expect(plugin.register(host.api)).toBeUndefined();
    expect(host.calls).toEqual(["cli", "service"]);
  }
  expect(openFiles().length).toBe(before);
});

for (const mode of ["cli-metadata", "setup-only"]) {
  test(`in mode ${mode} only the commands are registered`, () => {
    const host = fakeHost(mode);
    plugin.register(host.api);
    expect(host.calls).toEqual(["cli"]);
  });
}

test("a wrong config leaves the Gateway running with uploads off, and the log names each wrong field", async () => {
  await using lab = await Lab.start();
  const log: string[] = [];
  const logger = {
    info: (line: string) => log.push(line),
    warn: (line: string) => log.push(line),
    error: (line: string) => log.push(line),
  };
  const host = fakeHost("full");
  Object.assign(host.api, { pluginConfig: { apiKey: "has space", upload: { every: "banana" } } });
  plugin.register(host.api);
  const [service] = host.services;
  expect(service?.start({ stateDir: lab.stateDir, config: {}, logger })).toBeUndefined();
  await vi.waitFor(() => expect(log.length).toBeGreaterThan(2), 5000);
  await service?.stop();
  const text = log.join("\n");
  expect(text).toContain('found "banana" at upload.every; expected an interval such as "30s"');
  expect(text).toContain("not set: deploymentId, projectId");
  expect(text).toContain("found a string with spaces");
  expect(text).not.toContain("has space");
  expect(text).toContain('"openclaw influxion setup"');
});
