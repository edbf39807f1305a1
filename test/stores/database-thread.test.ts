import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DatabaseThread } from "../../src/stores/sqlite/database-thread.ts";
import { AgentDb, conversation, newStateDir } from "../support/agent-db.ts";

const NEEDS = { needsNames: true, needsStart: true, needsDeleted: true };

const mute = (signal: AbortSignal, answerMs: number): DatabaseThread =>
  new DatabaseThread(signal, {
    program: new URL("../support/mute-thread.ts", import.meta.url),
    answerMs,
  });

const never = (): AbortSignal => new AbortController().signal;

test("one thread answers all questions, one after the other", async () => {
  const stateDir = newStateDir();
  const agent = new AgentDb(stateDir);
  agent.addSession("s", conversation("s", 3));
  using thread = new DatabaseThread(never());
  expect(await thread.registry(stateDir)).toEqual({ claims: [], failures: [] });
  const digest = await thread.digest(agent.path, NEEDS);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(await thread.digest(agent.path, NEEDS)).toBe(digest);
  agent.close();
});

test("what cannot be read is a failure, and the next question begins another thread", async () => {
  const stateDir = newStateDir();
  const path = join(stateDir, "openclaw-agent.sqlite");
  mkdirSync(path);
  using thread = new DatabaseThread(never());
  await expect(thread.digest(path, NEEDS)).rejects.toThrow(/cannot be read/);
  expect(await thread.registry(stateDir)).toEqual({ claims: [], failures: [] });
});

test("a thread that fails rejects what it was asked", async () => {
  using thread = mute(never(), 60_000);
  await expect(thread.registry("/nowhere")).rejects.toThrow("it broke");
});

test("a thread that does not answer in time is ended, and what it was asked rejected", async () => {
  using thread = mute(never(), 300);
  await expect(thread.digest("/nowhere", NEEDS)).rejects.toMatchObject({ name: "AbortError" });
});

test("a signal ends a thread that does not answer at once", async () => {
  const stop = new AbortController();
  using thread = mute(stop.signal, 60_000);
  const asked = thread.digest("/nowhere", NEEDS);
  const before = performance.now();
  stop.abort();
  await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  expect(performance.now() - before).toBeLessThan(1000);
  await expect(thread.digest("/nowhere", NEEDS)).rejects.toMatchObject({ name: "AbortError" });
});
