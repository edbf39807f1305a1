import { readFileSync, renameSync, rmSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { MISSING_EVERY_MS, MISSING_TIMES } from "../../src/ledger/target.ts";
import { JsonlReader } from "../../src/stores/jsonl/reader.ts";
import { SqliteReader } from "../../src/stores/sqlite/reader.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { header, lines, message, session, write } from "../support/transcripts.ts";

const LONG = "x".repeat(900);

const messages = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => message(from + n, LONG));

/** From where on a run read transcripts, in the order of reading. */
function startsOf(reader: typeof JsonlReader | typeof SqliteReader): () => number[] {
  const read = vi.spyOn(reader.prototype, "read");
  onTestFinished(() => read.mockRestore());
  return () => {
    const starts = read.mock.calls.map(([start]) => start);
    read.mockClear();
    return starts;
  };
}

const HELD = { filter: { minMessages: 1000 } };

test("P12: a growing session that has too few messages is counted on from where it was", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [header("abc"), ...messages(0, 900)]);
  const starts = startsOf(JsonlReader);
  expect((await lab.run(HELD)).sent.parts).toBe(0);
  expect(starts()).toEqual([0]);
  const size = readFileSync(path).length;
  lab.append(path, messages(900, 950));
  await lab.run(HELD);
  expect(starts()).toEqual([size]);
  const { out } = await lab.status({ overrides: HELD });
  expect(out).toMatch(/skipped +1 .*minMessages: 1/);
  lab.append(path, messages(950, 1000));
  expect((await lab.run(HELD)).sent.lines).toBe(1001);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect((await lab.record("main", "abc"))?.streams["abc.jsonl"]).not.toHaveProperty("counted");
});

test("P12: a growing session in SQLite that has too few messages is counted on from where it was", async () => {
  await using lab = await Lab.start();
  const agent = new AgentDb(lab.stateDir);
  onTestFinished(() => agent.close());
  agent.addSession("s", conversation("s", 500));
  const starts = startsOf(SqliteReader);
  await lab.run(HELD);
  expect(starts()).toEqual([0]);
  agent.append("s", conversation("t", 101).slice(1));
  await lab.run(HELD);
  expect(starts()).toEqual([500]);
  agent.renumber("s", conversation("u", 700));
  await lab.run(HELD);
  expect(starts()).toEqual([0]);
  agent.append("s", conversation("v", 302).slice(1));
  expect((await lab.run(HELD)).sent.lines).toBe(1001);
});

test("P14: what was counted of a session that was rewritten since counts no more", async () => {
  await using lab = await Lab.start();
  const four = { filter: { minMessages: 4 } };
  const path = lab.session("main", "abc", session("abc", 3));
  await lab.run(four);
  const other = [header("other"), ...messages(10, 12)];
  write(path, lines(other));
  expect((await lab.run(four)).sent.parts).toBe(0);
  lab.append(path, messages(12, 13));
  expect((await lab.run(four)).sent.parts).toBe(0);
  lab.append(path, messages(13, 14));
  expect((await lab.run(four)).sent.lines).toBe(5);
});

test("P17: what was counted of a session before its reset is counted with what came after", async () => {
  await using lab = await Lab.start();
  const six = { filter: { minMessages: 6 } };
  const path = lab.session("main", "abc", session("abc", 3));
  await lab.run(six);
  renameSync(path, `${path}.reset.2026-11-22T10-07-24.663Z`);
  lab.session("main", "abc", session("anew", 2));
  expect((await lab.run(six)).sent.parts).toBe(0);
  lab.append(path, messages(20, 21));
  expect((await lab.run(six)).sent.lines).toBe(4 + 4);
});

test("what was counted of a session is forgotten with the session", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", session("abc", 3));
  await lab.run(HELD);
  expect(await lab.record("main", "abc")).toBeDefined();
  rmSync(path);
  for (let times = 0; times < MISSING_TIMES; times++) {
    await lab.run(HELD);
    lab.clockOffset += MISSING_EVERY_MS;
  }
  expect(await lab.record("main", "abc")).toBeUndefined();
});
