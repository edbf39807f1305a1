import { mkdirSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { failReads } from "../support/failing-reads.ts";
import { Lab } from "../support/lab.ts";
import { header, message } from "../support/transcripts.ts";

/** Lets reads behind `offset` fail in files that begin with `head`, as a bad sector of a disk does. */
function failReadsBehind(head: string, offset: number): void {
  failReads(head.length, (content, { length, position }) => {
    if (content.toString() === head && position + length > offset) {
      throw Object.assign(new Error("EIO: i/o error, read"), { errno: -5, code: "EIO" });
    }
  });
}

/** What a session looks like that can be read only up to a place behind its first part. */
async function expectTold(lab: Lab, reason: RegExp): Promise<void> {
  const dry = await lab.sync({ dryRun: true, json: true });
  expect(dry.code).toBe(2);
  const { sessions, failures, waiting } = JSON.parse(dry.out);
  expect(sessions.map((one: { sessionId: string }) => one.sessionId).sort()).toEqual([
    "bad",
    "good",
  ]);
  expect(failures).toMatchObject([{ sessionId: "bad", reason: expect.stringMatching(reason) }]);
  expect(waiting).toBe(2);

  const sync = await lab.sync({ json: true });
  expect(sync.code).toBe(2);
  const [report] = JSON.parse(sync.out).runs;
  expect(report).toMatchObject({ outcome: "partial", failed: 1, sent: { sessions: 2 } });
  expect(report.failures[0]).toMatchObject({
    sessionId: "bad",
    reason: expect.stringMatching(reason),
  });
  expect(report.left.sessions).toBe(0);
  await expectStillTold(lab, reason);
}

/** The same once everything that can be read was sent. */
async function expectStillTold(lab: Lab, reason: RegExp): Promise<void> {
  const all = await lab.sync({ all: true, json: true, signal: AbortSignal.timeout(5000) });
  expect(all.code).toBe(2);
  expect(JSON.parse(all.out).runs[0].failures[0].reason).toMatch(reason);
  expect((await lab.sync({ dryRun: true })).code).toBe(2);
  const status = JSON.parse((await lab.status({ json: true })).out);
  expect(status.counts).toMatchObject({ pending: 0, failing: 1 });
  expect(status.failing[0].reason).toMatch(reason);
}

test("P64 P71: a read error behind the first part of a file: the part goes, and the session fails", async () => {
  await using lab = await Lab.start();
  const long = Array.from({ length: 120 }, (_, n) => message(n, "x".repeat(100_000)));
  const path = lab.session("main", "bad", [header("bad"), ...long]);
  lab.session("main", "good");
  failReadsBehind(header("bad"), 9_000_000);
  await expectTold(lab, /EIO/);
  const received = lab.received("main", "bad");
  expect(received.length).toBeGreaterThan(8_000_000);
  expect(readFileSync(path, "utf8").startsWith(received)).toBe(true);
});

test("P64: sync --all ends when a session cannot be read behind its first part", async () => {
  await using lab = await Lab.start();
  const long = Array.from({ length: 120 }, (_, n) => message(n, "x".repeat(100_000)));
  lab.session("main", "bad", [header("bad"), ...long]);
  failReadsBehind(header("bad"), 9_000_000);
  const all = await lab.sync({ all: true, signal: AbortSignal.timeout(5000) });
  expect(all.code).toBe(2);
  expect(all.out).toContain("Failed: main/bad: cannot be read (EIO)");
  expect(lab.received("main", "bad").length).toBeGreaterThan(8_000_000);
});

/** Damage to the last event of a session, past the checks of its table. */
const DAMAGES: Record<string, string> = {
  "in no form at all": "event_json = NULL, event_zstd = NULL",
  "that is a BLOB": "event_json = x'7b7d', event_zstd = NULL",
  "that is a number": "event_json = 7, event_zstd = NULL",
  "whose length is not known": "event_json = NULL, event_zstd = x'00', event_utf8_bytes = NULL",
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`P22 P64: what lies before an event ${what} goes, and its session fails`, async () => {
    await using lab = await Lab.start();
    const agent = new AgentDb(lab.stateDir);
    onTestFinished(() => agent.close());
    mkdirSync(agent.sessionsDir, { recursive: true });
    agent.addSession("bad", conversation("bad", 6));
    agent.addSession("good", conversation("good", 6));
    // Without types: a table of the host's takes no such values.
    agent.db.exec(
      "CREATE TABLE loose AS SELECT session_id, seq, +event_json AS event_json, event_zstd, event_utf8_bytes FROM transcript_events",
    );
    agent.db.exec(`UPDATE loose SET ${damage} WHERE session_id = 'bad' AND seq = 5`);
    agent.db.exec("DROP TABLE transcript_events; ALTER TABLE loose RENAME TO transcript_events");
    await expectTold(lab, /event 5 of session bad/);
    expect(lab.received("main", "bad").split("\n")).toHaveLength(6);
  });
}

test("P22 P64: a bad event that is appended to a delivered session is told in the same run", async () => {
  await using lab = await Lab.start();
  const agent = new AgentDb(lab.stateDir);
  onTestFinished(() => agent.close());
  mkdirSync(agent.sessionsDir, { recursive: true });
  agent.addSession("bad", conversation("bad", 6));
  expect((await lab.run()).outcome).toBe("done");
  agent.append("bad", conversation("more", 3));
  agent.damage("bad", 8, { event_json: null, event_zstd: null });
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "partial", sent: { lines: 2 }, left: { sessions: 0 } });
  await expectStillTold(lab, /event 8 of session bad/);
});

test("P33: a line that the survey finds the end of goes out under any limit", async () => {
  await using lab = await Lab.start();
  const giant = message(1, "x".repeat(70 * 1024 * 1024));
  lab.session("main", "giant", [header("giant"), message(0), giant, message(2), message(3)]);
  const overrides = { upload: { maxBytesPerRun: 100_000 } };
  for (let run = 0; run < 4; run++) await lab.run(overrides);
  expect(lab.received("main", "giant").split("\n")).toHaveLength(6);
});
