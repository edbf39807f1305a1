import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import type { Gateway } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import type { CliResult } from "../support/openclaw-process.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

/** Looked for in everything that is printed and written. */
const API_KEY = "sk-sentinel-of-the-api-key-4711";
const REFERENCE = { source: "env", provider: "default", id: "SETUP_TEST_KEY" };

describe.each([SQLITE_VERSION, JSONL_VERSION])("in OpenClaw %s", (version) => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let gateway: Gateway | undefined;

  const configText = (): Promise<string> =>
    readFile(join(openclaw.stateDir, "openclaw.json"), "utf8");
  const entry = async (): Promise<{ enabled?: boolean; config?: Record<string, unknown> }> =>
    JSON.parse(await configText()).plugins.entries.influxion;
  const influxion = async (...args: string[]): Promise<CliResult> => {
    const result = await openclaw.runWith({ SETUP_TEST_KEY: API_KEY }, "influxion", ...args);
    expect(result.stdout + result.stderr).not.toContain(API_KEY);
    return result;
  };

  beforeAll(async () => {
    const host = await openclawHost(version);
    model = await startStubModel({ answer: ({ said }) => ({ text: `Done: ${said}` }) });
    openclaw = await createOpenClaw({
      host,
      modelUrl: model.baseUrl,
      env: { SETUP_TEST_KEY: API_KEY },
    });
    receiver = await startReceiver({
      dir: join(openclaw.dir, "received"),
      key: API_KEY,
      port: 0,
    });
    const install = await openclaw.install(inject("tarball"));
    expect(install.stdout + install.stderr).toContain("Installed plugin: influxion");
  });

  afterAll(async () => {
    await gateway?.stop();
    await receiver?.close();
    await model?.close();
    await openclaw?.close();
  });

  test("without a terminal and without flags, setup changes nothing and says what to give", async () => {
    const before = await configText();
    const { code, stderr } = await influxion("setup");
    expect(stderr).toContain("--project <id>");
    expect(code).toBe(1);
    expect(await configText()).toBe(before);
  });

  test("P101: setup says what would go, has the host write a reference, and checks", async () => {
    const { code, stdout, stderr } = await influxion(
      ...["setup", "--project", "p-1", "--deployment", "laptop", "--every", "1h"],
      ...["--api-url", receiver.url, "--api-key-env", "SETUP_TEST_KEY", "--yes"],
    );
    expect(stderr).toContain(`Target      ${receiver.url}`);
    expect(stderr).toContain("Sends       content full, credentials redacted");
    expect(await entry()).toMatchObject({
      enabled: true,
      config: { apiUrl: receiver.url, apiKey: REFERENCE, upload: { every: "1h" } },
    });
    expect(await configText()).not.toContain(API_KEY);
    expect(stdout).toMatch(/✓ credentials +the API takes this key for project p-1/);
    expect(stdout).toMatch(/! Gateway +none answers/);
    expect(code).toBe(0);
    expect(receiver.stats().parts).toBe(0);
  });

  test("a Gateway takes up what setup wrote, and check finds it running", async () => {
    gateway = await openclaw.startGateway();
    await gateway.turn("Hello");
    const { code, stdout } = await influxion("check", "--json");
    const { outcome, checks } = JSON.parse(stdout);
    expect(outcome).toBe("ok");
    const verdicts = Object.fromEntries(
      checks.map((found: { check: string; verdict: string }) => [found.check, found.verdict]),
    );
    expect(verdicts).toMatchObject({
      config: "ok",
      secrets: "ok",
      stores: "ok",
      credentials: "ok",
      gateway: "ok",
    });
    expect(code).toBe(0);
  });

  test("sync sends what check said could be sent", async () => {
    const { code } = await influxion("sync", "--all");
    expect(code).toBe(0);
    expect(receiver.stats().parts).toBeGreaterThan(0);
  });

  test("setup run again keeps the key and what it was not told to change", async () => {
    const before = await entry();
    await gateway?.reload(() => influxion("setup", "--deployment", "desktop", "--yes"));
    const { config } = await entry();
    expect(config).toEqual({ ...before.config, deploymentId: "desktop" });
    expect(config?.apiKey).toEqual(REFERENCE);
  });

  test("P101: a host whose config is managed from outside refuses, and nothing is changed", async () => {
    const before = await configText();
    const env = { OPENCLAW_NIX_MODE: "1" };
    const args = ["influxion", "setup", "--deployment", "other", "--yes"];
    const { code, stderr } = await openclaw.runWith(env, ...args);
    expect(stderr).toContain("Nothing was changed: OpenClaw did not write its config");
    expect(stderr).toContain('"deploymentId": "other"');
    expect(code).toBe(1);
    expect(await configText()).toBe(before);
  });
});
