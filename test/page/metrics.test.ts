import { expect, onTestFinished, test } from "vitest";
import { answerTo } from "../../src/page/answer.ts";
import { metricsOf } from "../../src/page/metrics.ts";
import { readState } from "../../src/run/state.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { ask, inputOf } from "./support.ts";

/** `name{labels}` and value of each sample. */
async function samples(lab: Lab, overrides = {}): Promise<Record<string, number>> {
  const { body, type } = await ask(lab, "metrics", "", overrides);
  expect(type).toContain("text/plain; version=0.0.4");
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("what was sent is counted over all runs, and what waits is measured now", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  lab.session("main", "def");
  await lab.sync();
  lab.session("main", "ghi");
  expect(await samples(lab)).toMatchObject({
    influxion_configured: 1,
    influxion_refused: 0,
    influxion_paused: 0,
    'influxion_sessions{state="uploaded"}': 2,
    'influxion_sessions{state="waiting"}': 1,
    'influxion_runs_total{outcome="done"}': 2,
    influxion_sent_lines_total: 10,
    influxion_last_receipt_timestamp_seconds: expect.closeTo(Date.now() / 1000, -2),
    influxion_waiting_bytes: expect.toSatisfy((bytes) => bytes > 500),
    influxion_oldest_waiting_seconds: expect.toSatisfy((age) => age > 0),
  });
});

test("a key that is refused shows, and a run that failed is counted by its outcome", async () => {
  await using lab = await Lab.start();
  const server = await startFaultServer({ script: () => ({ kind: "status", status: 401 }) });
  onTestFinished(() => server.close());
  lab.session("main", "abc");
  const overrides = { apiUrl: server.url };
  await lab.sync({ overrides });
  expect(await samples(lab, overrides)).toMatchObject({
    influxion_refused: 1,
    'influxion_state{state="refused"}': 1,
    'influxion_runs_total{outcome="refused"}': 1,
    influxion_sent_lines_total: 0,
  });
});

test("reasons are labels of bounded number and length, whatever they hold", async () => {
  await using lab = await Lab.start();
  const state = await readState(lab.stateDir, lab.config(), lab.now);
  const letters = "abcdefghijklmnopqrst".split("");
  const failing = letters.flatMap((letter, n) => [
    { agentId: "main", sessionId: letter, reason: `"${letter}\\ after ${n} s\n${"x".repeat(500)}` },
    {
      agentId: "main",
      sessionId: letter,
      reason: `"${letter}\\ after ${n + 50} s\n${"x".repeat(500)}`,
    },
  ]);
  const headline = { kind: "failing", text: "" } as const;
  const text = metricsOf({ state: { ...state, failing }, headline, now: lab.now() });
  const series = text.split("\n").filter((line) => line.startsWith("influxion_failing_sessions{"));
  expect(series).toHaveLength(11);
  expect(series[0]).toMatch(
    /^influxion_failing_sessions\{reason="\\"[a-t]\\\\ after N sx{10,80}"\} 2$/,
  );
  expect(series.at(-1)).toBe('influxion_failing_sessions{reason="other"} 20');
});

test("without a config there is nothing but that", async () => {
  await using lab = await Lab.start();
  const input = {
    ...inputOf(lab, "metrics"),
    config: { ok: false, problems: [], warnings: [] } as const,
  };
  const { body } = await answerTo(input, lab.now, new AbortController().signal);
  expect(body).toContain("influxion_configured 0\n");
  expect(body).not.toContain("influxion_sessions");
  expect(body).not.toContain(API_KEY);
});
