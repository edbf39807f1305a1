import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { openJsonlStore } from "../../src/stores/jsonl.ts";
import type { Store } from "../../src/stores/store.ts";
import { newStateDir } from "../support/agent-db.ts";
import { lines, rest, session } from "../support/transcripts.ts";

const ARCHIVED = ".reset.2026-11-22T09-56-39.719Z";

function storeOf(dir: string): Store {
  const factsOf = () => ({ isOurs: true, names: [] });
  return openJsonlStore({ agentId: "main", folders: [{ dir, factsOf }], now: Date.now });
}

/** A folder of so many sessions that one look at it lets others have their turn in between. */
function manySessions(): string {
  const dir = newStateDir();
  for (let n = 0; n < 3000; n++) writeFileSync(join(dir, `s${n}.jsonl`), "");
  return dir;
}

/** A signal that calls `happen` the first time that somebody asks it. */
function signalThat(happen: () => void): AbortSignal {
  const { signal } = new AbortController();
  let happened = false;
  signal.throwIfAborted = () => {
    if (!happened) happen();
    happened = true;
  };
  return signal;
}

const sources = async (store: Store, signal?: AbortSignal): Promise<string[]> =>
  (await store.list(signal)).streams.map(({ source }) => source).sort();

test.for([0, -1])(
  "P71: a session that is reset while the folder is looked at is listed under its new name (number %i of the names)",
  async (at) => {
    const dir = manySessions();
    const name = readdirSync(dir).at(at) as string;
    const signal = signalThat(() => {
      renameSync(join(dir, name), join(dir, name + ARCHIVED));
      writeFileSync(join(dir, name), "");
    });
    expect(await sources(storeOf(dir), signal)).toEqual(readdirSync(dir).sort());
  },
);

test.for([0, -1])(
  "P71: a session that is renamed while the folder is looked at is not missed (number %i of the names)",
  async (at) => {
    const dir = manySessions();
    const name = readdirSync(dir).at(at) as string;
    const signal = signalThat(() => renameSync(join(dir, name), join(dir, name + ARCHIVED)));
    const found = await sources(storeOf(dir), signal);
    expect(found).toContain(name + ARCHIVED);
    expect(found).toHaveLength(3000);
  },
);

test("P71: what is not named like a session may come and go meanwhile", async () => {
  const dir = manySessions();
  const signal = signalThat(() => writeFileSync(join(dir, "sessions.json.tmp"), ""));
  const listing = await storeOf(dir).list(signal);
  expect(listing.streams).toHaveLength(3000);
  expect(listing.failures).toEqual([]);
});

test("P71: a folder whose names never stand still is a failure, not a listing that lacks some", async () => {
  const dir = newStateDir();
  writeFileSync(join(dir, "0.jsonl"), lines(session("x")));
  // Time flies, so that others have their turn before every file.
  let time = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (time += 10));
  onTestFinished(() => clock.mockRestore());
  let renamed = 0;
  const { signal } = new AbortController();
  signal.throwIfAborted = () => {
    renameSync(join(dir, `${renamed}.jsonl`), join(dir, `${++renamed}.jsonl`));
  };
  const { failures } = await storeOf(dir).list(signal);
  expect(renamed).toBeGreaterThan(2);
  expect(failures).toMatchObject([
    { code: "FOLDER_UNSTABLE", message: expect.stringContaining(dir) },
  ]);
});

test("P71: what is left out of a folder is told, and why", async () => {
  const dir = newStateDir();
  mkdirSync(join(dir, "folder.jsonl"));
  symlinkSync("nowhere", join(dir, "link.jsonl"));
  writeFileSync(join(dir, "good.jsonl"), "");
  rest(join(dir, "good.jsonl"));
  const { streams, problems } = await storeOf(dir).list();
  expect(streams).toHaveLength(1);
  expect(problems.map(({ message }) => message).sort()).toEqual([
    "folder.jsonl: a folder, not a session",
    "link.jsonl: a symlink, which is not followed",
  ]);
});

/** Ids that no host gives, which would lead elsewhere as a part of a path, or cannot be shown. */
const NO_IDS = ["a\nb", "a\\b", "a\u001b[2J", "a\u202eb", "a:b", "a b", "~a", "_a", "-a", "a%2fb"];

test("P59 P71: what is named like a session, but not as the host names one, is told and not sent", async () => {
  const dir = newStateDir();
  const names = [
    ...NO_IDS.flatMap((id) => [`${id}.jsonl`, `${id}.jsonl${ARCHIVED}`]),
    "X.JSONL",
    `X.JSONL${ARCHIVED}`,
    `X.jsonl${ARCHIVED}.1`,
    `X.jsonl${ARCHIVED}.4e4942b1d305419f83ae9224c1acb6d0.zst`,
    "X.jsonl.reset.yesterday",
  ];
  for (const name of names) writeFileSync(join(dir, name), lines(session("x")));
  const { streams, problems, failures } = await storeOf(dir).list();
  expect(streams).toEqual([]);
  expect(failures).toEqual([]);
  expect(problems.map(({ message }) => message.replace(/ is not named .+/s, "")).sort()).toEqual(
    names.map((name) => JSON.stringify(name)).sort(),
  );
});

test("P56: names that a host gives are sessions, and what else it writes is not told", async () => {
  const dir = newStateDir();
  const ids = [
    "my.custom_id-01",
    "Ünïcödé",
    "会话-1",
    "x-topic-caf%C3%A9(1)",
    "2026-11-22T10-07-24-663Z_x",
  ];
  for (const id of ids) writeFileSync(join(dir, `${id}.jsonl`), lines(session("x")));
  const others = [
    "x.trajectory.jsonl",
    `x.trajectory.jsonl${ARCHIVED}`,
    "x.jsonl.lock",
    "x.jsonl.bak",
    "x.jsonl.deleted.2026-11-22T09-56-39.719Z",
    "._x.jsonl",
  ];
  for (const name of others) writeFileSync(join(dir, name), "x");
  const { streams, problems } = await storeOf(dir).list();
  expect(streams.map(({ sessionId }) => sessionId).sort()).toEqual(ids.sort());
  expect(problems).toEqual([]);
});
