import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";

function databaseOf(lab: Lab, agentId: string): AgentDb {
  const agent = new AgentDb(lab.stateDir, { agentId });
  onTestFinished(() => agent.close());
  mkdirSync(agent.sessionsDir, { recursive: true });
  return agent;
}

test("P61: status names the stores that hold something of an agent, and says when none can be read", async () => {
  await using lab = await Lab.start();
  lab.session("files", "abc");
  const pure = databaseOf(lab, "pure");
  pure.addSession("live", conversation("live", 4));
  pure.addSession("cold", conversation("cold", 4));
  pure.addSession("gone", conversation("gone", 4));
  pure.moveToCold("cold");
  pure.deleteSession("gone");
  databaseOf(lab, "mixed").addSession("new", conversation("new", 4));
  lab.session("mixed", "old");
  mkdirSync(join(lab.stateDir, "agents", "fresh", "sessions"), { recursive: true });
  mkdirSync(join(lab.stateDir, "agents", "ops", "agent"), { recursive: true });
  mkdirSync(join(lab.stateDir, "agents", "ops", "sessions"));
  const damaged = join(lab.stateDir, "agents", "ops", "agent", "openclaw-agent.sqlite");
  writeFileSync(damaged, "x".repeat(5000));
  const { out } = await lab.status({ verbose: true });
  const named = [...out.matchAll(/^Agent (\S+) \((.*)\)$/gm)].map(([, id, stores]) => [id, stores]);
  expect(named).toEqual([
    ["files", "jsonl"],
    ["fresh", "jsonl"],
    ["mixed", "jsonl and sqlite"],
    ["ops", "no readable store"],
    ["pure", "sqlite"],
  ]);
});
