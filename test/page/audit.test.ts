import { expect, test } from "vitest";
import { auditFindings } from "../../src/page/audit.ts";
import { API_KEY, Lab } from "../support/lab.ts";

const CONFIG = { apiKey: API_KEY, deploymentId: "d", projectId: "p" };

/** The host's config with the plugin's in its place. */
const withPlugin = (config: unknown): unknown => ({
  plugins: { entries: { influxion: { config } } },
});

test("a security audit names the origin, the level and the interval, and nothing of the key", async () => {
  await using lab = await Lab.start();
  const findings = await auditFindings(
    withPlugin({ ...CONFIG, content: { level: "text" }, upload: { every: "1h" } }),
    lab.stateDir,
  );
  expect(findings).toMatchObject([{ checkId: "influxion.destination", severity: "info" }]);
  expect(findings[0]?.detail).toBe(
    "Conversations of your agents go to https://api.influxion.io, every 1h: content text, credentials redacted.",
  );
  expect(JSON.stringify(findings)).not.toContain(API_KEY);
});

test("plain http to another machine is critical, to this one it is not worth a word", async () => {
  await using lab = await Lab.start();
  const idsOf = async (apiUrl: string): Promise<string[]> => {
    const config = { ...CONFIG, apiUrl, allowInsecureHttp: true };
    return (await auditFindings(withPlugin(config), lab.stateDir)).map(
      ({ checkId, severity }) => `${checkId} ${severity}`,
    );
  };
  expect(await idsOf("http://collector.example:8080")).toContain("influxion.plain_http critical");
  expect(await idsOf("http://127.0.0.1:8080")).toEqual(["influxion.destination info"]);
});

test("a filter that matches nothing is reported, since it keeps nothing here", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const filter = { sessions: { deny: ["privte-*"] } };
  const findings = await auditFindings(withPlugin({ ...CONFIG, filter }), lab.stateDir);
  expect(findings[1]).toMatchObject({ checkId: "influxion.filter_unmatched", severity: "warn" });
  expect(findings[1]?.detail).toContain('filter.sessions.deny: "privte-*"');
});

test.for([undefined, {}, { apiKey: 5 }, []])(
  "with the config %j nothing is sent, and nothing reported",
  async (config) => {
    await using lab = await Lab.start();
    expect(await auditFindings(withPlugin(config), lab.stateDir)).toEqual([]);
  },
);
