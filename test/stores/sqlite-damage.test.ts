import { mkdirSync, rmSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { session, sessionPath } from "../support/transcripts.ts";

/** Told apart from other words, and not sent however it looks from outside. */
const BROKEN = "{broken sentinel-7f3a}";

function databaseOf(lab: Lab): AgentDb {
  const agent = new AgentDb(lab.stateDir);
  onTestFinished(() => agent.close());
  mkdirSync(agent.sessionsDir, { recursive: true });
  return agent;
}

test("P34: a damaged event where a session moved into the database fails that session, not the run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "moved");
  await lab.run();
  const agent = databaseOf(lab);
  const entries = session("moved");
  rmSync(sessionPath(lab.stateDir, "main", "moved.jsonl"));
  agent.addSession("moved", [...entries.slice(0, -1), BROKEN]);
  agent.addSession("healthy", conversation("healthy", 5));
  const report = await lab.run();
  expect(report.sent.sessions).toBe(1);
  expect(report.failures).toMatchObject([{ sessionId: "moved" }]);
  expect(report.failures[0]?.reason).toMatch(/event 4 of session moved is damaged/);
  const { out } = await lab.status();
  expect(out).toMatch(/moved: event 4 of session moved is damaged/);
  expect(out + JSON.stringify(report)).not.toContain("sentinel");
});
