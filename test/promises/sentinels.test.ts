import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { receive } from "../../src/cli/receive.ts";
import { status } from "../../src/cli/status.ts";
import { readConfig } from "../../src/config/config.ts";
import { startUploads } from "../../src/openclaw/gateway.ts";
import { hostProxyOf } from "../../src/openclaw/host.ts";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { readLastRun } from "../../src/run/last-run.ts";
import type { RunReport } from "../../src/run/report.ts";
import { apiCertificate } from "../support/certificate.ts";
import { type Behaviour, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab, type Spoken, spoken } from "../support/lab.ts";
import {
  ENVIRONMENT,
  KEEPING,
  PASSWORD,
  PATH,
  plant,
  SENTINELS,
  SPOKEN,
  UNFILTERED,
} from "../support/planted.ts";
import { type ProxyBehaviour, startProxyServer } from "../support/proxy-server.ts";
import { Findings } from "../support/sentinels.ts";
import type { ServeOptions } from "../support/serve-child.ts";

// Many of them run side by side, and a machine may be busy with others.
vi.setConfig({ testTimeout: 60_000 });

/** Where temporary files are otherwise. */
const elsewhere = tmpdir();

/** The state directories lie in it, so that their paths hold a sentinel. */
const folder = mkdtempSync(join(elsewhere, `influxion-${PATH}-`));

let model: Lab;

beforeAll(async () => {
  vi.stubEnv("TMPDIR", folder);
  for (const [name, value] of Object.entries(ENVIRONMENT)) vi.stubEnv(name, value);
  tls.setDefaultCACertificates([apiCertificate.cert]);
  model = await Lab.start();
  plant(model);
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

type Overrides = Record<string, unknown>;

/** Each command with what it can be told. */
const COMMANDS: Readonly<Record<string, (lab: Lab, overrides: Overrides) => Promise<Spoken>>> = {
  "sync --dry-run": (lab, overrides) => lab.sync({ ...givenOf(lab), overrides, dryRun: true }),
  "sync --dry-run --all --json": (lab, overrides) =>
    lab.sync({ ...givenOf(lab), overrides, dryRun: true, all: true, json: true }),
  sync: (lab, overrides) => lab.sync({ ...givenOf(lab), overrides }),
  "sync --all --json": (lab, overrides) =>
    lab.sync({ ...givenOf(lab), overrides, all: true, json: true }),
  "sync --agent rows": (lab, overrides) => lab.sync({ ...givenOf(lab), overrides, agent: "rows" }),
  "sync --agent nobody": (lab, overrides) =>
    lab.sync({ ...givenOf(lab), overrides, agent: "nobody" }),
  check: (lab, overrides) => lab.check({ ...givenOf(lab), overrides }),
  "check --json": (lab, overrides) => lab.check({ ...givenOf(lab), overrides, json: true }),
  status: (lab, overrides) => lab.status({ overrides }),
  "status --verbose": (lab, overrides) => lab.status({ overrides, verbose: true }),
  "status --json": (lab, overrides) => lab.status({ overrides, json: true }),
  scan: (lab, overrides) => lab.scan({ overrides }),
  "scan --all --json": (lab, overrides) => lab.scan({ overrides, all: true, json: true }),
  "forget --session nobody": (lab, overrides) => lab.forget({ overrides, session: ["nobody"] }),
  "forget --session main/goes --remote": (lab, overrides) =>
    lab.forget({ overrides, session: ["main/goes"], remote: true }),
};

/** Those that depend on what the API answers. */
const AFTER_ANSWERS = ["sync", "check", "status --verbose", "forget --session main/goes --remote"];

/** What `preview` shows is what would be in a request's body, to people also with what cannot be read, and where. */
async function preview(findings: Findings, lab: Lab, overrides: Overrides): Promise<void> {
  const given = { secrets: givenOf(lab).secrets, overrides: { ...KEEPING, ...overrides } };
  const json = await lab.preview({ ...given, json: true });
  findings.add("body", "preview --json", json.out);
  findings.add("command", "stderr of preview --json", json.err);
  findings.add("preview", "preview", (await lab.preview(given)).out);
  const masked = { ...given, isTTY: true, showRedacted: true, limit: "all" };
  findings.add("preview", "preview --show-redacted", (await lab.preview(masked)).out);
}

/** What `sync` is given: the host's proxy, the key, and what `redact.values` leads to. */
const givenOf = (lab: Lab) => ({
  proxy: hostProxyOf(lab.hostConfig as never, {}),
  secrets: () =>
    Promise.resolve({ apiKey: API_KEY, redactValues: Object.values(ENVIRONMENT).slice(1) }),
});

/** Lets commands run, and adds all that they say and leave. */
async function command(
  findings: Findings,
  lab: Lab,
  overrides: Overrides,
  names = Object.keys(COMMANDS),
): Promise<void> {
  for (const name of names) {
    const said = await COMMANDS[name]?.(lab, { ...KEEPING, ...overrides });
    if (said !== undefined) findings.addCommand(name, said);
  }
  findings.addFiles(lab.stateDir);
}

/** A lab in which everything is planted; once for all, and copied. */
async function plantedLab(): Promise<Lab> {
  const lab = await Lab.start();
  cpSync(model.stateDir, lab.stateDir, { recursive: true, preserveTimestamps: true });
  lab.hostConfig = model.hostConfig;
  return lab;
}

const upload = { timeoutMs: 200, retryAttempts: 1 };

/** What an API says that quotes what it was sent. */
const QUOTING = JSON.stringify({ error: `${API_KEY}: ${SPOKEN}` });

const answer = (code: number, headers = {}): Behaviour => ({
  kind: "status",
  status: code,
  headers: { "content-type": "application/json", ...headers },
  body: QUOTING,
});

/** Everything that the fault server can do. */
const FAULTS: { readonly [Kind in Behaviour["kind"]]: Readonly<Record<string, Behaviour>> } = {
  accept: { "": { kind: "accept" } },
  "reject-lines": { "": { kind: "reject-lines", lines: [0] } },
  "wrong-counts": { "": { kind: "wrong-counts", accepted: 1, rejected: 7 } },
  status: {
    ...Object.fromEntries(
      [200, 400, 401, 403, 404, 407, 409, 411, 413, 422, 431, 500, 503, 511].map((code) => [
        code,
        answer(code),
      ]),
    ),
    "429 and a wait": answer(429, { "retry-after": "1" }),
    "403 in HTML": answer(403, { "content-type": "text/html" }),
  },
  "early-status": {
    "and reads on": {
      ...answer(422),
      kind: "early-status",
      afterwards: "keep-reading",
    } as Behaviour,
    "and closes": { ...answer(503), kind: "early-status", afterwards: "close" } as Behaviour,
  },
  "accept-then-drop": { "": { kind: "accept-then-drop" } },
  "accept-then-close": {
    idle: { kind: "accept-then-close", when: "idle" },
    "at the next request": { kind: "accept-then-close", when: "next-request" },
  },
  cut: {
    "before the body": { kind: "cut", at: "before-body" },
    "in the body": { kind: "cut", at: "in-body", afterBytes: 20 },
    "after the body": { kind: "cut", at: "after-body" },
    "after the answer's headers": { kind: "cut", at: "after-answer-headers" },
    "in the answer": { kind: "cut", at: "in-answer" },
  },
  stall: { "": { kind: "stall" } },
  hold: { "": { kind: "hold", until: sleep(50) } },
  "stop-reading": { "": { kind: "stop-reading", afterBytes: 1 } },
  "slow-read": { "": { kind: "slow-read", bytes: 500, everyMs: 5 } },
  garbage: {
    "": { kind: "garbage" },
    quoting: { kind: "garbage", bytes: `HTTP/1.1 2x0 ${QUOTING}\r\n${SPOKEN}\r\n\r\n` },
  },
  html: { "": { kind: "html" } },
  endless: { "": { kind: "endless" } },
  redirect: { "": { kind: "redirect", to: `https://example.com/${API_KEY}?${SPOKEN}` } },
};

const behaviours = Object.entries(FAULTS).flatMap(([kind, variants]) =>
  Object.entries(variants).map(([variant, behaviour]) => [`${kind} ${variant}`.trim(), behaviour]),
) as [string, Behaviour][];

/** Those of which the Gateway says something of its own. */
const OF_GATEWAY = new Set([
  "accept",
  "reject-lines",
  "status 401",
  "status 422",
  "cut in the body",
  "stall",
  "garbage quoting",
  "redirect",
]);

test("P92: what may leave is found where it may be, so that the rest would be, too", async () => {
  await using lab = await plantedLab();
  const server = await startFaultServer();
  const findings = new Findings();
  await preview(findings, lab, { apiUrl: server.url });
  expect(findings.placesOf(SPOKEN)).toEqual(["body", "preview"]);
  findings.addLog(await lab.serve({ ...KEEPING, apiUrl: server.url }));
  await command(findings, lab, { apiUrl: server.url });
  await server.close();
  findings.addRequests(server);
  expect(findings.placesOf(SPOKEN)).toEqual(["body", "preview"]);
  expect(findings.placesOf(API_KEY)).toEqual(["authorization"]);
  expect(findings.placesOf(PATH)).toEqual(["command", "log", "preview"]);
  const sent = [...server.stored.values()].flat().map((line) => JSON.parse(line));
  const names = sent.map(({ agentId, sessionId }) => `${agentId}/${sessionId}`);
  expect([...new Set(names)].sort()).toEqual([
    "main/goes",
    "main/unfinished",
    "reserved-files/metadata",
    "reserved-rows/only",
    "rows/goes-too",
    "toolless-files/tools",
    "toolless-rows/only",
  ]);
  expect(findings.leaks(SENTINELS)).toEqual([]);
});

test("P92: without a filter on sessions, what is no session stays all the same", async () => {
  await using lab = await plantedLab();
  const server = await startFaultServer();
  const findings = new Findings();
  const { agents } = KEEPING.filter;
  const overrides = { apiUrl: server.url, filter: { minMessages: 0, minBytes: 0, agents } };
  await command(findings, lab, overrides);
  await server.close();
  findings.addRequests(server);
  expect(findings.placesOf("by-label")).toContain("body");
  expect(findings.leaks(UNFILTERED)).toEqual([]);
});

test("P92: a sentinel is found as it is, in JSON within JSON, in a URL, in base64 and in hex", () => {
  const sentinel = { what: "it", value: 'a "sentinel"', allowed: ["body"] } as const;
  const forms = [
    sentinel.value,
    JSON.stringify(JSON.stringify(sentinel.value)),
    encodeURIComponent(sentinel.value),
    ...["", "u", "us"].map((before) =>
      Buffer.from(`${before}${sentinel.value}`).toString("base64"),
    ),
    Buffer.from(sentinel.value).toString("hex"),
  ];
  const findings = new Findings();
  findings.add("body", "its place", sentinel.value);
  for (const form of forms) findings.add("log", form, `before ${form} behind`);
  findings.add("log", "something else", "a sentinel");
  expect(findings.leaks([sentinel])).toEqual(forms.map((form) => `it in ${form}`));
});

for (const [name, behaviour] of behaviours) {
  test.concurrent(`P92: nothing that must stay turns up anywhere when the API does this: ${name}`, async () => {
    await using lab = await plantedLab();
    const server = await startFaultServer({ default: behaviour });
    const findings = new Findings();
    const overrides = { apiUrl: server.url, upload };
    if (OF_GATEWAY.has(name)) findings.addLog(await lab.serve({ ...KEEPING, ...overrides }));
    await command(findings, lab, overrides, AFTER_ANSWERS);
    await server.close();
    findings.addRequests(server);
    expect(server.requests.length).toBeGreaterThan(0);
    expect(findings.placesOf(API_KEY)).toEqual(["authorization"]);
    expect(findings.leaks(SENTINELS)).toEqual([]);
  });
}

const WITH_PASSWORD = `user:${PASSWORD}@`;

/** What a proxy does, with how it is reached; `$` stands for its address. */
const PROXIES: Readonly<Record<string, readonly [string, ProxyBehaviour]>> = {
  connects: [`http://${WITH_PASSWORD}$`, { kind: "connect" }],
  "wants another password": [`http://other-${WITH_PASSWORD}$`, { kind: "connect" }],
  refuses: [`http://${WITH_PASSWORD}$`, { kind: "answer", status: 403 }],
  "has a failure": [`http://${WITH_PASSWORD}$`, { kind: "answer", status: 502 }],
  "hangs up": [`http://${WITH_PASSWORD}$`, { kind: "hang-up" }],
  "is silent": [`http://${WITH_PASSWORD}$`, { kind: "silent" }],
  "does not speak HTTP": [`http://${WITH_PASSWORD}$`, { kind: "garbage", bytes: PASSWORD }],
  "cuts the connection": [`http://${WITH_PASSWORD}$`, { kind: "cut", afterBytes: 900 }],
  "is written with a path": [`http://${WITH_PASSWORD}$/path`, { kind: "connect" }],
  "is a SOCKS proxy": [`socks5://${WITH_PASSWORD}$`, { kind: "connect" }],
  "is written in quotes": [`"http://${WITH_PASSWORD}$"`, { kind: "connect" }],
};

for (const [name, [address, behaviour]] of Object.entries(PROXIES)) {
  test(`P92: nothing that must stay turns up anywhere when a proxy is on the way that ${name}`, async () => {
    await using lab = await plantedLab();
    const server = await startFaultServer({ tls: apiCertificate });
    await using proxy = await startProxyServer({
      port: server.port,
      credentials: `user:${PASSWORD}`,
      script: () => behaviour,
    });
    const proxyUrl = address.replace("$", proxy.address);
    lab.hostConfig = { ...lab.hostConfig, proxy: { proxyUrl } };
    const findings = new Findings();
    await command(findings, lab, { apiUrl: "https://api.test", upload }, AFTER_ANSWERS);
    if (name === "refuses") {
      findings.addLog(await lab.serve({ ...KEEPING, apiUrl: "https://api.test", upload }));
    }
    await server.close();
    findings.addRequests(server);
    findings.addProxy(proxy);
    expect(proxy.requests.length > 0).toBe(/^http:\/\/[^/]+$/.test(address));
    expect(server.requests.length > 0).toBe(name === "connects");
    expect(findings.leaks(SENTINELS)).toEqual([]);
  });
}

/** The built plugin as a Gateway's service, in a process that is killed. */
interface Served extends AsyncDisposable {
  /** All that it wrote to stdout and stderr. */
  readonly said: string[];
  kill(): Promise<void>;
}

/** @param flags options for node itself */
function serveInProcess(lab: Lab, overrides: Overrides, flags: readonly string[] = []): Served {
  const { everyMs: _, ...config } = lab.config({ ...KEEPING, ...overrides });
  const options: ServeOptions = {
    stateDir: lab.stateDir,
    pluginConfig: { ...config, upload: { ...config.upload, every: "1s" } },
    hostConfig: lab.hostConfig,
  };
  const program = join(import.meta.dirname, "../support/serve-child.ts");
  const temporary = join(lab.dir, "tmp");
  mkdirSync(temporary);
  const child = spawn(process.execPath, [...flags, program, JSON.stringify(options)], {
    env: { ...process.env, TMPDIR: temporary },
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  }
  const closed = once(child, "close");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
  };
  return { said, kill, [Symbol.asyncDispose]: kill };
}

/** Waits for something, for 15 s at most. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come to it");
    await sleep(20);
  }
}

test("P92: nothing that must stay is left behind by a crash in an upload, nor said after it", async () => {
  await using lab = await plantedLab();
  const server = await startFaultServer({ default: { kind: "stall" } });
  const findings = new Findings();
  await using served = serveInProcess(lab, { apiUrl: server.url });
  await until(() => server.requests.some(({ complete }) => complete));
  await served.kill();
  findings.addLog(served.said);
  findings.addFiles(lab.stateDir);
  findings.addFolder("file", join(lab.dir, "tmp"));
  await command(findings, lab, { apiUrl: server.url, upload });
  await server.close();
  findings.addRequests(server);
  expect(findings.placesOf(PATH)).toContain("command");
  expect(findings.leaks(SENTINELS)).toEqual([]);
});

/** Errors in the thread of a run that nobody foresaw, and that quote a transcript. */
const BREAKING: Readonly<Record<string, string>> = {
  "in its thread": `setTimeout(() => JSON.parse('{"text": ${SPOKEN}'), 200);`,
  "in what lines go through": `
    const stringify = JSON.stringify;
    JSON.stringify = (...args) => {
      const text = stringify(...args);
      if (text?.includes("${SPOKEN}")) throw new SyntaxError(\`cannot write \${text}\`);
      return text;
    };`,
};

for (const [where, code] of Object.entries(BREAKING)) {
  test(`P92: nor by an error ${where} that nobody foresaw, whatever its message quotes`, async () => {
    await using lab = await plantedLab();
    const preload = join(lab.dir, "preload.mjs");
    const isInThread = 'import { isMainThread } from "node:worker_threads";\nif (!isMainThread) {';
    writeFileSync(preload, `${isInThread}${code}}\n`);
    const server = await startFaultServer({
      default: { kind: "slow-read", bytes: 99, everyMs: 20 },
    });
    const findings = new Findings();
    await using served = serveInProcess(lab, { apiUrl: server.url }, ["--import", preload]);
    await until(async () => (await readLastRun(lab.stateDir)) !== null);
    await served.kill();
    findings.addLog(served.said);
    findings.addFiles(lab.stateDir);
    await command(findings, lab, { apiUrl: server.url }, ["status --verbose", "status --json"]);
    await server.close();
    findings.addRequests(server);
    expect(findings.placesOf("please report it: SyntaxError")).toContain("file");
    expect(findings.leaks(SENTINELS)).toEqual([]);
  });
}

test("P92: nor by a command that fails in a way that nobody foresaw", async () => {
  await using lab = await plantedLab();
  const findings = new Findings();
  const fail = async (): Promise<RunReport> => JSON.parse(`{"text": ${SPOKEN}`);
  for (const json of [false, true]) {
    const said = await lab.sync({ overrides: KEEPING, json, run: fail });
    expect(said.err).toContain("please report it: SyntaxError");
    findings.addCommand("sync", said);
  }
  findings.addFiles(lab.stateDir);
  expect(findings.leaks(SENTINELS)).toEqual([]);
});

/** The command `receive` and what it prints, until it is told to end. */
function receiving(dir: string): { printed: () => string; end: () => Promise<number> } {
  const abort = new AbortController();
  let text = "";
  const write = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const terminal = { out: write, err: write };
  const env = { INFLUXION_RECEIVER_KEY: API_KEY };
  const code = receive({ port: "0", dir, env, signal: abort.signal, terminal });
  return {
    printed: () => text,
    end() {
      abort.abort();
      return code;
    },
  };
}

const envelope = (changes: object): string =>
  JSON.stringify({
    deploymentId: "lab",
    projectId: "project",
    agentId: "main",
    agentName: "main",
    sessionId: "made-by-hand",
    sessionFile: "agents/main/sessions/made-by-hand.jsonl",
    lineIndex: 0,
    capturedAt: "2026-11-01T00:00:00.000Z",
    payload: { text: SPOKEN },
    ...changes,
  });

/** Requests that a receiver refuses, or takes with lines rejected. */
const REFUSED: readonly (readonly [body: string, headers?: Record<string, string>])[] = [
  [`${envelope({})}\n${SPOKEN}`],
  [`${envelope({})}\n${envelope({ lineIndex: 1, capturedAt: SPOKEN })}`],
  [envelope({}), { authorization: `Bearer ${SPOKEN}` }],
  [SPOKEN],
  [`{"text": ${SPOKEN}\n`],
  [envelope({ payload: SPOKEN })],
  [envelope({ more: SPOKEN })],
  [envelope({ capturedAt: SPOKEN })],
  [envelope({ lineIndex: SPOKEN })],
  [envelope({}), { "content-type": `text/${SPOKEN}` }],
  [envelope({}), { "content-encoding": SPOKEN }],
  [envelope({}), { "influxion-generation": SPOKEN }],
  [envelope({}), { "influxion-first-line": "7" }],
];

test("P92: the receiver repeats neither the key nor what it was sent, whatever it is sent", async () => {
  const dir = mkdtempSync(join(elsewhere, "influxion-received-"));
  await using lab = await plantedLab();
  const receiver = receiving(dir);
  await until(() => receiver.printed().includes("Ctrl-C"));
  const apiUrl = /http:\S+/.exec(receiver.printed())?.[0] ?? "";
  const findings = new Findings();
  await command(findings, lab, { apiUrl });
  const received = receiver.printed().length;
  for (const [index, [body, headers]] of REFUSED.entries()) {
    const response = await fetch(apiUrl + INGEST_PATH, {
      method: "POST",
      body: body.replaceAll("made-by-hand", `made-by-hand-${index}`),
      headers: {
        authorization: `Bearer ${API_KEY}`,
        "content-type": "application/x-ndjson",
        "idempotency-key": `key-${index}`,
        ...headers,
      },
    });
    findings.add("receiver", `answer ${index}`, await response.text());
  }
  expect(receiver.printed().length).toBeGreaterThan(received);
  expect(await receiver.end()).toBe(0);
  findings.add("receiver", "what it prints", receiver.printed());
  const isSession = (name: string): boolean => name.endsWith(".jsonl");
  findings.addFolder("receiver", dir, isSession);
  const kept = new Findings();
  kept.addFolder("body", dir, (name) => !isSession(name));
  expect(kept.placesOf(SPOKEN)).toEqual(["body"]);
  expect(kept.leaks(SENTINELS)).toEqual([]);
  expect(findings.leaks(SENTINELS)).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

/** Mistakes in a config whose value may be a secret. */
const MISTAKES: readonly Overrides[] = [
  { apiKey: `${API_KEY} and more` },
  { apiKey: [API_KEY] },
  { apiKey: { source: API_KEY } },
  { apikey: API_KEY },
  { apiUrl: API_KEY },
  { apiUrl: `https://${API_KEY}@example.com` },
  { apiUrl: `https://example.com/?key=${API_KEY}` },
  { apiUrl: `http://example.com/${API_KEY}` },
  { redact: { values: [`${API_KEY}=`] } },
  { redact: { values: [{ source: API_KEY }] } },
  { redact: { patterns: [{ id: "ours", pattern: `${API_KEY}(` }] } },
  { redact: { patterns: [{ id: "ours", pattern: `(${API_KEY}+)+` }] } },
];

test("P92: no mistake in the config makes anything say the key", async () => {
  await using lab = await plantedLab();
  const findings = new Findings();
  for (const mistake of MISTAKES) {
    const pluginConfig = { apiKey: "other", deploymentId: "lab", projectId: "project", ...mistake };
    const config = readConfig(pluginConfig);
    const setup = { stateDir: lab.stateDir, config };
    for (const json of [false, true]) {
      findings.addCommand(
        "status",
        await spoken((terminal) => status({ setup, flags: { json }, terminal, now: Date.now })),
      );
    }
    const log: string[] = [];
    const logger = {
      info: (line: string) => log.push(line),
      warn: (line: string) => log.push(line),
    };
    await startUploads({ stateDir: lab.stateDir, config: {}, logger }, pluginConfig).stop();
    findings.addLog(log);
  }
  expect(findings.leaks(SENTINELS)).toEqual([]);
});
