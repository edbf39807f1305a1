import { mkdirSync, rmSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { AgentDb, conversation, drain, openAgent, readerOf } from "../support/agent-db.ts";
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

const damagedTexts: [string, string][] = [
  ["is not JSON although it begins and ends like it", BROKEN],
  ["holds a line feed within a string", '{"type":"message","id":"x","text":"sentinel-7f3a\nb"}'],
  ["holds a carriage return within a string", '{"type":"message","text":"sentinel-7f3a\rb"}'],
];

test.each(damagedTexts)(
  "P22: an event that %s is reported and never sent, and its session goes on once it is repaired",
  async (_what, text) => {
    await using lab = await Lab.start();
    const agent = databaseOf(lab);
    agent.addSession("s", conversation("s", 9));
    agent.addSession("healthy", conversation("healthy", 5));
    const whole = agent.texts("s");
    agent.db.exec("DELETE FROM transcript_events WHERE session_id = 's' AND seq IN (1, 3)");
    agent.put("s", 6, text);
    const report = await lab.run();
    expect(report).toMatchObject({ outcome: "partial", failed: 1, sent: { sessions: 1 } });
    expect(report.failures[0]?.reason).toMatch(
      /^event 6 of session s is damaged.*The session waits/,
    );
    expect(lab.receivedSessions()).toEqual(["main/healthy"]);
    expect((await lab.record("main", "s"))?.streams.sqlite?.position.lines ?? 0).toBe(0);
    expect(JSON.stringify(report)).not.toContain("sentinel");
    agent.put("s", 6, whole[6] ?? "");
    agent.touch("s");
    expect((await lab.run()).sent.lines).toBe(7);
    expect(lab.received("main", "s").split("\n")[4]).toBe(whole[6]);
  },
);

test("P22: a damaged event in cold storage is reported and never sent", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab);
  agent.addSession("s", [...conversation("s", 5), BROKEN]);
  agent.moveToCold("s");
  expect((await lab.run()).failures[0]?.reason).toMatch(/^event 5 of session s is damaged/);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P22: what arrived before a part with a damaged event stays, and is not sent again", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab);
  agent.addSession("s", conversation("s", 5));
  await lab.run();
  agent.append("s", [conversation("t", 3)[1], BROKEN]);
  expect((await lab.run()).failures[0]?.reason).toMatch(/^event 6 of session s is damaged/);
  expect((await lab.record("main", "s"))?.streams.sqlite?.position.lines).toBe(5);
  agent.put("s", 6, JSON.stringify(conversation("t", 3)[2]));
  agent.rotate("s");
  expect((await lab.run()).failed).toBe(0);
  expect(lab.received("main", "s").trimEnd().split("\n")).toEqual(agent.texts("s"));
});

test("P34: a damaged event among the messages that are counted first fails its session, also in status", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab);
  agent.addSession("s", [...conversation("s", 2), BROKEN, ...conversation("s", 5)]);
  agent.addSession("healthy", conversation("healthy", 8));
  const overrides = { filter: { minMessages: 4 } };
  const { out } = await lab.status({ overrides });
  expect(out).toMatch(/main\/s: event 2 of session s is damaged/);
  expect((await lab.run(overrides)).sent.sessions).toBe(1);
});

test("P28: an event that is JSON but no object travels as raw", async () => {
  await using lab = await Lab.start();
  const agent = databaseOf(lab);
  const odd = ["[1, 2]", '"text"', "17", "null"];
  agent.addSession("s", [...conversation("s", 5), ...odd]);
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 9 } });
  const sent = lab.received("main", "s").trimEnd().split("\n").slice(5);
  expect(sent).toEqual(odd.map((raw) => JSON.stringify({ raw })));
});

test("an ordinary event is not parsed before it is sent, which costs", async () => {
  const { agent, store } = openAgent();
  agent.addSession("s", conversation("s", 50, 2000));
  const reader = await readerOf(store, "s");
  const parse = vi.spyOn(JSON, "parse");
  onTestFinished(() => parse.mockRestore());
  expect((await drain(reader)).lines).toHaveLength(50);
  expect(parse).not.toHaveBeenCalled();
});
