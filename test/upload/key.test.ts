import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { resolveApiKey } from "../../src/openclaw/host.ts";
import { runInWorker } from "../../src/run/worker-runner.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";

afterEach(() => void vi.unstubAllEnvs());

const reference = { source: "env", provider: "default", id: "INFLUXION_TEST_KEY" } as const;
const resolve = (): Promise<string> => resolveApiKey(reference, {} as never);

test.for([
  ["as it is", API_KEY],
  ["with the line break of a file", `${API_KEY}\n`],
  ["with that of Windows", `${API_KEY}\r\n`],
  ["between white space", ` \t${API_KEY} \n\n`],
  ["after a byte order mark", `\ufeff${API_KEY}`],
] as const)("a key that a reference leads to is the key: %s", async ([, value]) => {
  vi.stubEnv("INFLUXION_TEST_KEY", value);
  expect(await resolve()).toBe(API_KEY);
  // In the Gateway, the host has resolved it.
  const config = { apiKey: value, deploymentId: "d", projectId: "p" };
  expect(readConfig(config)).toMatchObject({ ok: true, config: { apiKey: API_KEY } });
});

test.for([
  ["two lines", `${API_KEY}\n${API_KEY}\n`],
  ["a space", `Bearer ${API_KEY}`],
  ["a control character", `${API_KEY}\u0007x`],
  ["letters that no header carries", `${API_KEY}-ключ`],
] as const)(
  "P58: a key with %s ends the run with a sentence that does not show it",
  async ([, value]) => {
    vi.stubEnv("INFLUXION_TEST_KEY", value);
    await expect(resolve()).rejects.toMatchObject({ code: "API_KEY_INVALID" });
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const overrides = { apiKey: reference };
    const secrets = async () => ({ apiKey: await resolve(), redactValues: [] });
    const spoken = await lab.sync({ overrides, secrets, run: runInWorker });
    expect(spoken.code).toBe(1);
    expect(spoken.err).toContain("Nothing was uploaded: apiKey is a secret reference (env:INFLUX");
    const served = await lab.serve(overrides);
    expect(served).toContainEqual(
      expect.stringContaining("no upload this time: apiKey is a secret"),
    );
    expect(JSON.stringify([spoken, served])).not.toContain(API_KEY);
    const config = { apiKey: value, deploymentId: "d", projectId: "p" };
    expect(readConfig(config)).toMatchObject({ ok: false, problems: [{ path: "apiKey" }] });
  },
);

test.for(["", " \n"])("a reference that leads to nothing (%j) is not resolved", async (value) => {
  vi.stubEnv("INFLUXION_TEST_KEY", value);
  await expect(resolve()).rejects.toMatchObject({ code: "API_KEY_UNRESOLVED" });
});

test("a request that cannot be made is not tried again, and ends the run", async () => {
  await using lab = await Lab.start();
  for (const id of ["a", "b"]) lab.session("main", id);
  const retries: string[] = [];
  const report = await lab.run(
    { upload: { retryAttempts: 3 } },
    {
      apiKey: `${API_KEY}\n${API_KEY}`,
      events: { onRetry: (_session, reason) => void retries.push(reason) },
    },
  );
  expect(retries).toEqual([]);
  expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 2 } });
  expect(report.reason).toContain("invalid authorization header");
  expect(JSON.stringify(report)).not.toContain(API_KEY);
});

test.for(["a\nb", "ключ", ""])(
  "P31: an idempotency key that is damaged in the ledger (%j) is replaced by the same one on every attempt",
  async (damaged) => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const server = await startFaultServer({
      script: ({ index }) => (index < 3 ? { kind: "status", status: 500 } : undefined),
    });
    const overrides = { apiUrl: server.url, upload: { retryAttempts: 1 } };
    await lab.run({ ...overrides, upload: { retryAttempts: 0 } });
    for (const path of [lab.ledgerPaths.primary, lab.ledgerPaths.copy]) {
      const ledger = readFileSync(path, "utf8");
      writeFileSync(
        path,
        ledger.replace(/"idempotencyKey":\s*"\w+"/, `"idempotencyKey":${JSON.stringify(damaged)}`),
      );
    }
    await lab.run(overrides);
    expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    await server.close();
    const keys = server.requests.slice(1).map(({ idempotencyKey }) => idempotencyKey);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
  },
);
