import { expect, test } from "vitest";
import { createFilter } from "../../src/config/filter.ts";
import { survey } from "../../src/discovery/survey.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import type { RunReport } from "../../src/run/report.ts";
import { upload } from "../../src/run/rounds.ts";
import { takeRunLock } from "../../src/run/run-lock.ts";
import { Tally } from "../../src/run/tally.ts";
import { Lab } from "../support/lab.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { lines, message, session } from "../support/transcripts.ts";

/** A run over one store, without those that are on disk. */
async function uploadFrom(lab: Lab, store: MemoryStore): Promise<RunReport> {
  const options = lab.options({}, { trigger: "command" });
  await using lock = await takeRunLock(options);
  const { stateDir, config, now, signal } = options;
  const ledger = await Ledger.open({ stateDir, now, lock });
  const target = ledger.target(config);
  const tally = new Tally(now(), "command", ledger.problems, target.hasTaken);
  const filter = createFilter(config.filter, 0);
  const { agentId } = store;
  const names = [agentId];
  const nothing = { excludedBy: null, failures: [], hasUnreadDatabase: false };
  const agent = { agentId, names, stores: [store], ...nothing };
  const look = {
    agents: [agent],
    failures: [],
    filter,
    ledger,
    target,
    retryBackedOff: true,
    now,
    signal,
  };
  const found = await survey(look);
  await upload({ ...options, ledger, target, tally }, look, found, async () => new Map());
  return tally.finish(null, now(), false);
}

test("a third kind of store needs nothing but a Store and a Reader to be uploaded, once", async () => {
  await using lab = await Lab.start();
  const store = new MemoryStore("main");
  const entries = session("abc");
  store.put("abc", entries);
  expect((await uploadFrom(lab, store)).sent.lines).toBe(entries.length);
  expect((await uploadFrom(lab, store)).sent.parts).toBe(0);

  const more = message(99);
  store.append("abc", more);
  expect((await uploadFrom(lab, store)).sent.lines).toBe(1);
  expect(lab.received("main", "abc")).toBe(lines([...entries, more]));
});

test("a session that is rewritten in a third kind of store begins a new generation", async () => {
  await using lab = await Lab.start();
  const store = new MemoryStore("main");
  store.put("abc", session("abc"));
  await uploadFrom(lab, store);
  const rewritten = session("abc").toReversed();
  store.put("abc", rewritten);
  await uploadFrom(lab, store);
  expect(lab.received("main", "abc")).toBe(lines(rewritten));
});
