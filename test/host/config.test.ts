import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { createOpenClaw, type OpenClaw, type OpenClawConfig } from "../support/openclaw.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";

const MINIMAL = { apiKey: "sk-1234567890abcdef", deploymentId: "laptop", projectId: "p" };

/** What `openclaw config set` is given, and what the plugin makes of it. */
const SETTINGS = [
  ["projectId", "42", { projectId: "42" }],
  ["content.level", "metadata", { content: { level: "metadata", images: true } }],
  ["upload.maxFilesPerRun", "100", { upload: { maxFilesPerRun: 100 } }],
  ["upload.every", "0", { everyMs: 0 }],
  ["redact.secrets", "false", { redact: { secrets: false } }],
  [
    "filter.agents.deny",
    '["scratch", "test-*"]',
    { filter: { agents: { deny: ["scratch", "test-*"] } } },
  ],
  [
    "filter.agents.content",
    '{"ops": "metadata"}',
    { filter: { agents: { content: { ops: "metadata" } } } },
  ],
  ["tls.ca", "/etc/ssl/roots.pem", { tls: { ca: "/etc/ssl/roots.pem" } }],
] as const;

describe.each([JSONL_VERSION, SQLITE_VERSION])("in OpenClaw %s", (version) => {
  let openclaw: OpenClaw;

  beforeAll(async () => {
    openclaw = await createOpenClaw({ host: await openclawHost(version) });
    const installed = await openclaw.install(inject("tarball"));
    expect(installed.code, installed.stderr + installed.stdout).toBe(0);
  });

  afterAll(() => openclaw.close());

  const configured = async (): Promise<unknown> => {
    const text = await readFile(join(openclaw.stateDir, "openclaw.json"), "utf8");
    return (JSON.parse(text) as OpenClawConfig).plugins.entries?.influxion?.config;
  };

  test("what the host's own command sets is what the plugin reads", async () => {
    await openclaw.configurePlugin(MINIMAL);
    for (const [option, value, read] of SETTINGS) {
      const path = `plugins.entries.influxion.config.${option}`;
      const done = await openclaw.run("config", "set", path, value);
      expect(done.code, `${option}: ${done.stderr}${done.stdout}`).toBe(0);
      expect(readConfig(await configured())).toMatchObject({ ok: true, config: read });
    }
  });

  test("P96: wrong names and values stop neither a command nor the Gateway, and the config stays", async () => {
    const wrong = {
      ...MINIMAL,
      deploymentId: 7,
      colour: "blue",
      onDelete: "forgt",
      upload: { evry: 1, concurrency: "x" },
    };
    await openclaw.configurePlugin(wrong);
    const { code, stdout } = await openclaw.run("influxion", "status", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      configProblems: [{ path: "onDelete" }, { path: "upload.concurrency" }],
      configWarnings: [{ path: "colour" }, { path: "upload.evry", nearest: ["upload.every"] }],
    });
    await using gateway = await openclaw.startGateway();
    // 2026.7.35 is ready before its services have started.
    await vi.waitFor(() => {
      const log = gateway.log();
      expect(log).toContain(
        "influxion: upload.evry is no option and has no effect; did you mean upload.every?",
      );
      expect(log).toContain('influxion: uploads are off; found "forgt" at onDelete; ');
    }, 60_000);
    expect(await configured()).toMatchObject(wrong);
  });

  test("P97: a wrong name that may keep something here switches uploads off, and nothing else", async () => {
    await openclaw.configurePlugin({ ...MINIMAL, filter: { agent: { deny: ["scratch"] } } });
    const { code, stderr } = await openclaw.run("influxion", "sync");
    expect(code).toBe(1);
    expect(stderr).toContain(
      "found a name that no option has at filter.agent; expected filter.agents; ",
    );
  });
});
