import { mkdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { readState } from "../../src/run/state.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

const oldest = async (lab: Lab): Promise<string | null> => {
  const { oldestPendingAt } = await readState(lab.stateDir, lab.config(), lab.now);
  return oldestPendingAt === null ? null : new Date(oldestPendingAt).toISOString();
};

test("the oldest waiting line is the first one of a session that is not sent yet", async () => {
  await using lab = await Lab.start();
  expect(await oldest(lab)).toBe(null);
  const path = lab.session("main", "abc");
  expect(await oldest(lab)).toBe("2026-10-01T08:00:00.000Z");
  await lab.run();
  expect(await oldest(lab)).toBe(null);
  lab.append(path, [message(50), message(51)]);
  lab.session("main", "later", [message(90), message(91), message(92, "x".repeat(600))]);
  expect(await oldest(lab)).toBe("2026-10-01T08:00:50.000Z");
});

test("the oldest waiting line is found in a database as well", async () => {
  await using lab = await Lab.start();
  const agent = new AgentDb(lab.stateDir, { agentId: "main" });
  onTestFinished(() => agent.close());
  mkdirSync(agent.sessionsDir, { recursive: true });
  agent.addSession("abc", conversation("abc", 4));
  const { timestamp } = conversation("abc", 4)[0] as { timestamp: string };
  expect(await oldest(lab)).toBe(new Date(timestamp).toISOString());
});

test("of a line that names no time, the time of its session counts", async () => {
  await using lab = await Lab.start();
  const entries = ["no time", ...Array.from({ length: 9 }, (_, n) => message(n, "x".repeat(99)))];
  lab.session("main", "abc", entries);
  const { oldestPendingAt } = await readState(lab.stateDir, lab.config(), lab.now);
  // Files are left as untouched for a minute.
  expect(Math.abs(lab.now() - 60_000 - (oldestPendingAt ?? 0))).toBeLessThan(10_000);
});
