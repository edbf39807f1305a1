import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
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
import { readConfig } from "../../src/config/config.ts";
import { CONTENT_HEADER, type Envelope } from "../../src/protocol/wire.ts";
import { startBrowser } from "../support/browser.ts";
import { type ConfigForm, OPTION_HINTS, openForm } from "../support/config-form.ts";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { createOpenClaw, type OpenClaw, type OpenClawConfig } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";
import { ENTER } from "../support/terminal.ts";

const API_KEY = "key-of-the-form-0123456789";

/** Enough for the form to save and the Gateway to reload, more than once. */
const TAKEN_UP = { timeout: 60_000, interval: 250 };

/** What is there before the wizard, which puts it before the cursor. */
const BEFORE = {
  deploymentId: 42,
  upload: { maxFilesPerRun: 20 },
  filter: { agents: { deny: ["scratch"] }, minBytes: 1 },
};

/** What is typed into the wizard; at the other options only Enter is pressed. */
const TYPED: Readonly<Record<string, string>> = {
  projectId: "p-wizard",
  onDelete: "forget",
  "content.level": "text",
  "upload.every": "3s",
  "upload.maxFilesPerRun": "0",
  "filter.agents.deny": ", test-*",
  "filter.sessions.deny": "tmp-*",
  "filter.kinds": "cron, heartbeat",
  "filter.minMessages": "1",
};

/** What the plugin is to read then. */
const WRITTEN = {
  deploymentId: "42",
  projectId: "p-wizard",
  onDelete: "forget",
  content: { level: "text" },
  everyMs: 3000,
  upload: { maxFilesPerRun: 200, maxBytesPerRun: 10_485_760 },
  filter: {
    agents: { allow: [], deny: ["scratch", "test-*"] },
    sessions: { allow: [], deny: ["tmp-*"] },
    kinds: ["cron", "heartbeat"],
    minMessages: 1,
    minBytes: 1,
  },
};

/** What the form then adds to it. */
const FILLED = {
  apiKey: API_KEY,
  projectId: "p-form",
  deploymentId: "laptop",
  onDelete: "keep",
  content: { level: "no-tool-output", images: false },
  upload: { maxFilesPerRun: 200, retryAttempts: 7 },
  filter: { ...WRITTEN.filter, sessions: { allow: [], deny: ["tmp-*", "private-*"] } },
};

describe("OpenClaw's own editors of the config", () => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let server: FaultServer;
  let gateway: Gateway;
  let browser: Browser;
  let form: ConfigForm;

  const configured = async (): Promise<object> => {
    const text = await readFile(join(openclaw.stateDir, "openclaw.json"), "utf8");
    return (JSON.parse(text) as OpenClawConfig).plugins.entries?.influxion?.config as object;
  };

  beforeAll(async () => {
    model = await startStubModel();
    server = await startFaultServer();
    openclaw = await createOpenClaw({
      host: await openclawHost(SQLITE_VERSION),
      modelUrl: model.baseUrl,
      agentIds: ["main", "scratch"],
      controlUi: true,
    });
    expect((await openclaw.install(inject("tarball"))).code).toBe(0);
    await openclaw.configurePlugin(BEFORE);
  });

  beforeEach(() => {
    onTestFailed(() => tellLastWords(gateway));
  });

  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
    await openclaw?.close();
    await Promise.all([server?.close(), model?.close()]);
  });

  test("what is typed into the wizard is what the plugin reads", async () => {
    using terminal = openclaw.startInTerminal("configure", "--section", "plugins");
    await terminal.shows("Select plugin to configure");
    terminal.type("Influxion");
    await terminal.shows("● Influxion");
    terminal.type(ENTER);
    await terminal.shows('"API key" is sensitive');
    for (const [path, { label, advanced, sensitive }] of OPTION_HINTS) {
      if (advanced || sensitive) continue;
      await terminal.shows(`◆  ${label} `);
      terminal.type(`${TYPED[path] ?? ""}${ENTER}`);
    }
    await terminal.shows("Configuration updated.");
    expect(await terminal.ended()).toBe(0);
    expect(readConfig({ ...(await configured()), apiKey: API_KEY })).toMatchObject({
      ok: true,
      config: WRITTEN,
      warnings: [],
    });
  });

  test("the Gateway starts with what the wizard wrote, and misses only the key", async () => {
    gateway = await openclaw.startGateway();
    expect(gateway.log()).toContain("influxion: uploads are off; not set: apiKey;");
    await gateway.turn("What is uploaded");
    await gateway.turn("What stays here", "agent:scratch:main");
  });

  test("the form has every option in its section, as what it is, with its value", async () => {
    browser = await startBrowser();
    form = await openForm(await browser.newPage(), gateway);
    for (const path of OPTION_HINTS.keys()) {
      expect([path, await form.option(path).count()]).toEqual([path, 1]);
    }
    expect(await form.page.getByText("Unsupported schema node").count()).toBe(0);
    expect(await form.option("upload.maxFilesPerRun").inputValue()).toBe("200");
    expect(await form.option("deploymentId").inputValue()).toBe("42");
    const level = form.option("content.level").getByRole("radio", { checked: true });
    expect((await level.textContent())?.trim()).toBe("text");
  });

  test("what is filled into the form is saved and taken up, and the session arrives", async () => {
    // Each change is saved by itself, and with the key uploads begin.
    await form.write("apiUrl", server.url);
    await form.write("projectId", FILLED.projectId);
    await form.write("deploymentId", FILLED.deploymentId);
    await form.write("upload.retryAttempts", String(FILLED.upload.retryAttempts));
    await form.option("content.images").uncheck();
    await form.choose("content.level", FILLED.content.level);
    await form.choose("onDelete", FILLED.onDelete);
    await form.addTo("filter.sessions.deny", "private-*");
    await form.write("apiKey", API_KEY);
    await vi.waitFor(async () => {
      const config = { ...FILLED, apiUrl: server.url };
      expect(readConfig(await configured())).toMatchObject({ ok: true, config, warnings: [] });
    }, TAKEN_UP);
    await vi.waitFor(() => {
      expect(server.requests.at(-1)?.headers).toMatchObject({
        authorization: `Bearer ${API_KEY}`,
        [CONTENT_HEADER]: "no-tool-output, no-images",
      });
    }, TAKEN_UP);
    await vi.waitFor(() => expect(linesOf(server)).not.toEqual([]), TAKEN_UP);
  });

  test("a later save keeps the key, which the form no longer shows", async () => {
    form = await openForm(form.page, gateway);
    expect(await form.option("apiKey").inputValue()).toBe("");
    expect(await form.page.content()).not.toContain(API_KEY);
    await gateway.reload(() => form.write("upload.retryAttempts", "8"));
    const upload = { ...FILLED.upload, retryAttempts: 8 };
    expect(readConfig(await configured())).toMatchObject({ config: { ...FILLED, upload } });
    await gateway.turn("Uploaded with the same key");
    await vi.waitFor(() => {
      expect(JSON.stringify(linesOf(server))).toContain("Uploaded with the same key");
    }, TAKEN_UP);
    for (const { projectId, deploymentId, agentId } of linesOf(server)) {
      expect([projectId, deploymentId, agentId]).toEqual(["p-form", "laptop", "main"]);
    }
  });
});

const linesOf = ({ stored }: FaultServer): Envelope[] =>
  [...stored.values()].flat().map((line) => JSON.parse(line) as Envelope);
