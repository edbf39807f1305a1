import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { askStatus } from "../../src/openclaw/ask-service.ts";
import { type HandedOptions, handOver } from "../../src/openclaw/hand-over.ts";
import { readService, writeService } from "../../src/run/service-file.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab, type Spoken } from "../support/lab.ts";
import { type PluginHost, pluginHost } from "../support/plugin-host.ts";
import { header, message } from "../support/transcripts.ts";

const SECOND = 1000;

/** A run on a thread of its own takes seconds where many tests share a machine. */
const SOON = { timeout: 30_000, interval: 50 };

vi.setConfig({ testTimeout: 120_000 });

afterEach(() => {
  vi.useRealTimers();
});

/** The plugin's options as they stand in openclaw.json, for uploads that begin by themselves once an hour. */
function options(lab: Lab, upload: object = {}, more: object = {}): object {
  const { apiUrl, apiKey, deploymentId, projectId, upload: own } = lab.config();
  return {
    apiUrl,
    apiKey,
    deploymentId,
    projectId,
    upload: { ...own, every: "1h", ...upload },
    ...more,
  };
}

/** A service that is up, whose first run is far away. */
async function serving(lab: Lab, config = options(lab)): Promise<PluginHost> {
  const host = pluginHost(lab, config);
  host.start();
  await vi.waitFor(async () => expect(await readService(lab.stateDir)).not.toBeNull(), SOON);
  return host;
}

/** `sync` with the service that runs in the host. The two have the same config. */
const syncBy = (lab: Lab, host: PluginHost, flags: object = {}): Promise<Spoken> =>
  lab.sync({
    ...flags,
    overrides: { upload: { every: "1h" } },
    handOver: (options) => handOver(options, host.ask),
  });

/** With what differs from run to run taken out. */
const timeless = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/"wireBytes": \d+/g, '"wireBytes": 0')
    .replaceAll(/\d+ B on the wire/g, "<bytes> on the wire");

test("P105: what changes is uploaded half a minute later, and ten thousand changes once", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  await using host = pluginHost(lab, options(lab));
  host.start();
  await vi.waitFor(() => expect(host.listeners()).toBe(1));
  vi.advanceTimersByTime(31 * SECOND);
  await vi.waitFor(() => expect(lab.receivedSessions()).toEqual(["main/abc"]), SOON);
  await vi.waitFor(() => expect(host.recorded).toHaveLength(1), SOON);
  await sleep(200);

  vi.advanceTimersByTime(120 * SECOND);
  lab.append(path, [message(77)]);
  for (let n = 0; n < 10_000; n++) host.update();
  host.hook("session_end");
  vi.advanceTimersByTime(29 * SECOND);
  await sleep(100);
  expect(host.recorded).toHaveLength(1);
  vi.advanceTimersByTime(5 * SECOND);
  await vi.waitFor(() => expect(host.recorded).toHaveLength(2), SOON);
  vi.advanceTimersByTime(600 * SECOND);
  await sleep(300);
  expect(host.recorded).toEqual([
    {
      message: "influxion: run",
      fields: expect.objectContaining({ trigger: "interval", outcome: "done", sessions: 1 }),
    },
    {
      message: "influxion: run",
      fields: {
        outcome: "done",
        trigger: "change",
        sessions: 1,
        lines: 1,
        bytes: expect.any(Number),
        wireBytes: expect.any(Number),
        failed: 0,
        waiting: 0,
        waitingBytes: 0,
        durationMs: expect.any(Number),
      },
    },
  ]);
});

for (const [name, upload] of [
  ['upload.every is "0"', { every: "0" }],
  ["upload.onChange is false", { onChange: false }],
] as const) {
  test(`P105: where ${name}, a change makes nothing leave`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    await using host = pluginHost(lab, options(lab, upload));
    host.start();
    await vi.waitFor(() => expect(host.listeners()).toBe(1));
    if (upload.every === undefined) {
      vi.advanceTimersByTime(31 * SECOND);
      await vi.waitFor(() => expect(host.recorded).toHaveLength(1), SOON);
      await sleep(200);
    }
    const before = lab.received("main", "abc");
    lab.session("main", "def");
    host.update();
    host.hook("session_end");
    vi.advanceTimersByTime(1800 * SECOND);
    await sleep(300);
    expect(lab.received("main", "abc")).toBe(before);
    expect(lab.receivedSessions()).not.toContain("main/def");
  });
}

test("P105: changes are listened to from start to stop, and a late one does nothing", async () => {
  await using lab = await Lab.start();
  const host = pluginHost(lab, options(lab));
  expect(host.listeners()).toBe(0);
  host.update();
  host.hook("session_end");
  host.start();
  await vi.waitFor(() => expect(host.listeners()).toBe(1), SOON);
  await host.stop();
  expect(host.listeners()).toBe(0);
  host.hook("session_end");
  expect(await host.call("influxion.status", {})).toMatchObject({ error: expect.any(String) });
  expect(await readService(lab.stateDir)).toBeNull();
});

test("P107: sync by the service sends, prints and exits like a run of its own, and is noted once", async () => {
  const outputs = [];
  for (const isHanded of [true, false]) {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    lab.session("ops", "def");
    await using host = await serving(lab);
    const sync = (flags = {}) =>
      isHanded
        ? syncBy(lab, host, flags)
        : lab.sync({ ...flags, overrides: { upload: { every: "1h" } } });
    const texts = [
      await sync({ agent: "main" }),
      await sync({ json: true, all: true }),
      await sync(),
    ];
    expect(host.recorded).toHaveLength(isHanded ? 2 : 0);
    expect(lab.receivedSessions()).toEqual(["main/abc", "ops/def"]);
    const lastRun = readFileSync(join(lab.stateDir, "influxion", "last-run.json"), "utf8");
    expect(JSON.parse(lastRun)).toMatchObject({ report: { trigger: "command" }, failure: null });
    outputs.push(
      texts.map(({ code, out, err }) => ({
        code,
        out: timeless(out).replaceAll(lab.stateDir, "<state>"),
        err: timeless(err).replaceAll(lab.receiver.url, "<api>"),
      })),
    );
  }
  expect(outputs[0]).toEqual(outputs[1]);
});

test("P107: what the API refuses ends a sync by the service as it ends one of its own", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 401 } });
  await using host = await serving(lab, options(lab, {}, { apiUrl: server.url }));
  const overrides = { apiUrl: server.url, upload: { every: "1h" } };
  const handed = await lab.sync({ overrides, handOver: (given) => handOver(given, host.ask) });
  const own = await lab.sync({ overrides });
  expect(handed.code).toBe(3);
  expect(handed).toEqual(own);
  expect(host.recorded).toHaveLength(1);
  await server.close();
});

test("P107: a run of the service that is going on is waited for, and it is said who uploads", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const held = Promise.withResolvers<void>();
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "hold", until: held.promise } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { every: "1h" } };
  await using host = await serving(lab, options(lab, { every: "1s" }, { apiUrl: server.url }));
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), SOON);
  lab.session("main", "def");
  const syncing = lab.sync({
    overrides: { ...overrides, upload: { every: "1s" } },
    handOver: (given) => handOver(given, host.ask),
  });
  await sleep(300);
  expect(server.requests).toHaveLength(1);
  held.resolve();
  const { code, err } = await syncing;
  expect(code).toBe(0);
  expect(err).toMatch(/^Waiting: the Gateway \(pid \d+\) has been uploading since/m);
  await server.close();
});

test("P107: a sync that is interrupted ends the run of the service", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "stall" } });
  await using host = await serving(lab, options(lab, {}, { apiUrl: server.url }));
  const abort = new AbortController();
  const syncing = lab.sync({
    overrides: { apiUrl: server.url, upload: { every: "1h" } },
    signal: abort.signal,
    handOver: (given) => handOver(given, host.ask),
  });
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), SOON);
  expect(await host.ask("influxion.status", {})).toMatchObject({
    running: { trigger: "command", planned: 1, done: 0 },
  });
  abort.abort(new Error("interrupted"));
  expect(await syncing).toMatchObject({ code: 130 });
  await vi.waitFor(() => expect(server.openSockets()).toBe(0), SOON);
  expect(await host.ask("influxion.status", {})).toMatchObject({ running: null });
  await server.close();
});

const OTHERS: readonly [string, (lab: Lab, given: HandedOptions) => Promise<HandedOptions>][] = [
  [
    "of another state directory",
    async (lab, given) => {
      await writeService(lab.dir, { ...(await running(lab)), id: crypto.randomUUID() });
      return { ...given, stateDir: lab.dir };
    },
  ],
  [
    "of another version",
    async (lab, given) => {
      await writeService(lab.stateDir, { ...(await running(lab)), version: "1.9.9" });
      return given;
    },
  ],
  [
    "with other filters",
    async (lab, given) => ({
      ...given,
      config: lab.config({ filter: { agents: { deny: ["ops"] } }, upload: { every: "1h" } }),
    }),
  ],
  [
    "with another key",
    async (lab, given) => ({
      ...given,
      config: lab.config({ apiKey: "sk-another-key-of-a-user", upload: { every: "1h" } }),
    }),
  ],
  [
    "for another project",
    async (lab, given) => ({
      ...given,
      config: lab.config({ projectId: "another", upload: { every: "1h" } }),
    }),
  ],
];

async function running(lab: Lab): Promise<{ id: string; version: string }> {
  const service = await readService(lab.stateDir);
  if (service === null) throw new Error("no service");
  return service;
}

for (const [what, change] of OTHERS) {
  test(`P107: nothing is handed over to a service ${what}`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    await using host = await serving(lab);
    const given = lab.options({ upload: { every: "1h" } }, { trigger: "command" });
    expect(await handOver(await change(lab, given), host.ask)).toBeNull();
    expect(lab.receivedSessions()).toEqual([]);
    expect(await host.ask("influxion.status", {})).toMatchObject({ running: null });
  });
}

test("P107: where there is no Gateway, sync and status do without one", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const nobody = vi.fn(() => Promise.resolve(null));
  expect(await handOver(lab.options(), nobody)).toBeNull();
  expect(await askStatus(lab.stateDir, nobody)).toBeNull();
  expect(nobody).not.toHaveBeenCalled();
  // One that was killed has left its file behind.
  await writeService(lab.stateDir, { id: crypto.randomUUID(), version: "2.0.0" });
  const { code } = await lab.sync({ handOver: (given) => handOver(given, nobody) });
  expect(code).toBe(0);
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P107: a Gateway that ends while it uploads for a sync is reported, and the next run goes on", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await using host = await serving(lab);
  let asked = 0;
  const gone = (method: string, params: object) =>
    ++asked > 1 ? Promise.resolve(null) : host.ask(method, params);
  const { code, err } = await lab.sync({
    overrides: { upload: { every: "1h" } },
    handOver: (given) => handOver(given, gone),
  });
  expect(code).toBe(2);
  expect(err).toContain("the Gateway that was uploading does not answer any more");
});

test("P108: a method takes flags and names; whatever else it is given is refused and not quoted", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await using host = await serving(lab);
  expect(host.scopes).toEqual({
    "influxion.status": "operator.read",
    "influxion.sync": "operator.write",
  });
  for (const params of [
    { apiUrl: "https://evil.example" },
    { stateDir: "/etc" },
    { config: { apiUrl: "https://evil.example" } },
    { agent: "" },
    { agent: "x".repeat(501) },
    { agent: ["main"] },
    { all: "yes" },
    { run: "../../x" },
    { service: "not an id" },
    "evil",
    ["evil"],
    7,
  ]) {
    const { error } = await host.call("influxion.sync", params);
    expect(error).toBe("influxion: this request has members or values that it may not have");
  }
  expect((await host.call("influxion.status", { path: "/etc" })).error).toBeDefined();
  expect(lab.receivedSessions()).toEqual([]);
});

test("P108: no answer holds a key, a path or a line of a transcript", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc", [
    header("abc"),
    message(1, "planted-in-a-transcript ".repeat(50)),
    message(2),
  ]);
  await using host = await serving(lab);
  const answers: unknown[] = [];
  const listening = async (method: string, params: object) => {
    const answer = await host.call(method, params);
    answers.push(answer);
    return answer.payload ?? null;
  };
  await lab.sync({
    overrides: { upload: { every: "1h" } },
    handOver: (given) => handOver(given, listening),
  });
  await listening("influxion.status", {});
  await listening("influxion.sync", { service: crypto.randomUUID() });
  const text = JSON.stringify(answers);
  expect(text).toContain('"sessions":1');
  for (const secret of [API_KEY, lab.stateDir, "planted-in-a-transcript"]) {
    expect(text).not.toContain(secret);
  }
});

test("P108: one run is handed over at a time", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "stall" } });
  await using host = await serving(lab, options(lab, {}, { apiUrl: server.url }));
  expect(await host.call("influxion.sync", {})).toMatchObject({
    payload: { run: expect.any(String) },
  });
  expect(await host.call("influxion.sync", {})).toEqual({
    error: "influxion: another run was handed over already",
  });
  await server.close();
});

test("status shows what the running service says: the run that goes on, and the next one", async () => {
  await using lab = await Lab.start();
  const service = {
    version: "2.0.0",
    running: { trigger: "change", startedAt: Date.now(), planned: 10, done: 3, bytes: 1_200_000 },
    next: { at: Date.now() + 25_000, trigger: "change" },
    paused: null,
    failure: null,
  } as const;
  const busy = await lab.status({ askService: () => Promise.resolve(service) });
  expect(busy.out).toMatch(/^ {2}Uploader {4}the Gateway, 3 of 10 sessions, 1.2 MB sent$/m);
  expect(busy.out).toMatch(/^ {2}Next run {4}after this upload$/m);
  const idle = { ...service, running: null };
  const { out } = await lab.status({ askService: () => Promise.resolve(idle) });
  expect(out).toMatch(/^ {2}Next run {4}in 2\d s, for what has changed$/m);
});
