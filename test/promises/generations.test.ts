import { copyFileSync, cpSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { FIRST_LINE_HEADER, GENERATION_HEADER } from "../../src/protocol/wire.ts";
import { Ingest } from "../model/ingest.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { lines, message, rest, session, sessionPath, write } from "../support/transcripts.ts";

const RESET = ".reset.2026-11-19T10-00-00.000Z";

/** Generation and first line of each request, as its headers name them. */
function placesOf({ requests }: FaultServer): { generation: number; firstLine: number }[] {
  return requests.map(({ headers }) => ({
    generation: Number(headers[GENERATION_HEADER]),
    firstLine: Number(headers[FIRST_LINE_HEADER]),
  }));
}

test("P73: each part names its generation and its first line", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer();
  const before = Date.now();
  await lab.run({ apiUrl: server.url });
  lab.append(path, [message(9)]);
  await lab.run({ apiUrl: server.url });
  await server.close();
  const [first, second] = placesOf(server);
  expect(first?.generation).toBeGreaterThanOrEqual(before);
  expect(first?.firstLine).toBe(0);
  expect(second).toEqual({ generation: first?.generation, firstLine: 5 });
});

test("P73: a generation only grows: at a rewrite, and when the ledger is lost", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer();
  await lab.run({ apiUrl: server.url });
  write(path, lines(session("other", 6)));
  await lab.run({ apiUrl: server.url });
  rmSync(dirname(lab.ledgerPaths.primary), { recursive: true });
  await lab.run({ apiUrl: server.url });
  await server.close();
  const places = placesOf(server);
  expect(places.map(({ firstLine }) => firstLine)).toEqual([0, 0, 0]);
  const generations = places.map(({ generation }) => generation);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  expect(new Set(generations).size).toBe(3);
});

test("P73: a clock that is set back does not set a generation back", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer();
  await lab.run({ apiUrl: server.url });
  lab.clockOffset = -1_000_000_000;
  write(path, lines(session("other", 6)));
  await lab.run({ apiUrl: server.url });
  await server.close();
  const [first, second] = placesOf(server);
  expect(second?.generation).toBeGreaterThan(first?.generation ?? Number.POSITIVE_INFINITY);
});

test("P74: what comes to light of a session's past is sent, and what is there now goes behind it", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  write(path + RESET, lines(session("before", 6)));
  await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  lab.append(path, [message(50)]);
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 1 } });
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect(lab.receiver.sessions().map((held) => held.lines)).toEqual([5, 7, 6]);
});

test("P74: so is a past that was missed because it was renamed while the names were read", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  // The archive is out of sight in the one run that sees the new file.
  lab.append(path, [message(7)]);
  renameSync(path, `${lab.dir}/archive`);
  lab.session("main", "abc", session("anew", 2));
  await lab.run();
  renameSync(`${lab.dir}/archive`, path + RESET);
  await lab.run();
  expect((await lab.run()).sent.parts).toBe(0);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  const held = lab.receiver.sessions().map(({ file }) => readFileSync(file, "utf8"));
  expect(held).toContain(readFileSync(path + RESET, "utf8"));
});

test("P74: the present goes behind a past that comes to light beside a database, too", async () => {
  await using lab = await Lab.start();
  const events = conversation("abc", 5);
  const host = new AgentDb(lab.stateDir);
  host.addSession("abc", events);
  await lab.run();
  write(sessionPath(lab.stateDir, "main", `abc.jsonl${RESET}`), lines(session("before", 3)));
  host.append("abc", [{ type: "message", id: "last" }]);
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 10 }, left: { sessions: 0 } });
  expect(lab.received("main", "abc")).toBe(lines(host.texts("abc")));
  expect((await lab.run()).sent.parts).toBe(0);
  host.close();
});

test("P74: a past that came to light while the present was away does not stay the newest", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  renameSync(path, `${lab.dir}/away`);
  write(path + RESET, lines(session("before", 3)));
  await lab.run();
  renameSync(`${lab.dir}/away`, path);
  await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  // Away once more, there is nothing newer to tell, nor when it is back.
  renameSync(path, `${lab.dir}/away`);
  expect((await lab.run()).sent.parts).toBe(0);
  renameSync(`${lab.dir}/away`, path);
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P74: of what was sent behind a past, only the present is sent once more", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", session("abc", 2));
  for (const second of [4, 5, 6]) {
    write(`${path}.reset.2026-11-19T10-00-0${second}.000Z`, lines(session(`${second}`, second)));
  }
  await lab.run();
  write(path + RESET, lines(session("before", 20)));
  const report = await lab.run();
  expect(report.sent.lines).toBe(21 + 3);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P74: a past that cannot be sent yet does not let the present be taken for newer", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  write(path + RESET, lines(session("before", 40)));
  // Room for a part of the past in each run.
  const upload = { maxBytesPerRun: 3000 };
  for (let runs = 0; runs < 10; runs++) {
    lab.append(path, [message(20 + runs)]);
    expect((await lab.run({ upload })).failures).toEqual([]);
  }
  await lab.run();
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  expect(lab.receiver.stats().refusals).toEqual({});
});

test("P74: the numbers of generations follow the order in which they are sent", async () => {
  await using lab = await Lab.start();
  const server = await startFaultServer();
  const overrides = { apiUrl: server.url, filter: { minMessages: 6 } };
  // Held back, and so only looked at, before its past appears.
  const path = lab.session("main", "abc", session("abc", 2));
  await lab.run(overrides);
  for (const second of [3, 1, 2]) {
    const archive = `${path}.reset.2026-11-19T10-00-0${second}.000Z`;
    write(archive, lines(session(`before ${second}`, 4)));
    await lab.run(overrides);
  }
  await lab.run(overrides);
  await server.close();
  const generations = placesOf(server).map(({ generation }) => generation);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  expect(server.requests.at(-1)?.lines).toHaveLength(3);
});

test("P70: a restored backup of the ledger delivers its sessions as a new generation, once", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const folder = dirname(lab.ledgerPaths.primary);
  await lab.run();
  cpSync(folder, `${lab.dir}/backup`, { recursive: true });
  lab.append(path, [message(7), message(8)]);
  await lab.run();
  rmSync(folder, { recursive: true });
  cpSync(`${lab.dir}/backup`, folder, { recursive: true });
  lab.append(path, [message(9)]);
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 8 }, left: { sessions: 0 } });
  expect(report.problems).toMatchObject([{ code: "SESSION_RESTARTED", sessionId: "abc" }]);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  lab.append(path, [message(10)]);
  expect((await lab.run()).sent.lines).toBe(1);
});

/** One session on two machines that call themselves the same, and both go on with it. */
async function twoMachines(apiUrl: string) {
  const [one, two] = [await Lab.start(), await Lab.start()];
  const overrides = { apiUrl };
  const path = one.session("main", "abc");
  await one.run(overrides);
  cpSync(one.stateDir, two.stateDir, { recursive: true });
  const copy = path.replace(one.stateDir, two.stateDir);
  rest(copy);
  for (let turn = 20; turn < 30; turn++) {
    one.append(path, [message(turn)]);
    await one.run(overrides);
    two.append(copy, [message(100 + turn), message(200 + turn)]);
    await two.run(overrides);
  }
  const { failing } = JSON.parse((await one.status({ overrides, json: true })).out);
  const contents = [path, copy].map((file) => readFileSync(file, "utf8"));
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  return { failing, contents };
}

test("P70: two machines with one deploymentId do not send a session again and again", async () => {
  // A server that does not know generations cannot tell the two apart.
  await using ingest = await Ingest.start();
  ingest.tellsNewest = false;
  const { failing } = await twoMachines(ingest.url);
  expect(ingest.sessions.get("main/abc")?.length).toBeLessThanOrEqual(3);
  expect(failing).toMatchObject([{ reason: expect.stringContaining("give each its own") }]);
});

test("P70 P73: a server that knows generations keeps what each of them sends", async () => {
  await using lab = await Lab.start();
  const { failing, contents } = await twoMachines(lab.receiver.url);
  expect(failing).toEqual([]);
  const held = lab.receiver.sessions().map(({ file }) => readFileSync(file, "utf8"));
  // Each of them was the newest at the end of one restart, and no more than one.
  expect(held).toEqual(expect.arrayContaining(contents));
  expect(held.length).toBeLessThanOrEqual(4);
});

/** The state directory as it is now, to be put back later. */
function snapshot(lab: Lab): () => void {
  const copy = `${lab.dir}/snapshot`;
  cpSync(lab.stateDir, copy, { recursive: true, preserveTimestamps: true });
  return () => {
    rmSync(lab.stateDir, { recursive: true });
    cpSync(copy, lab.stateDir, { recursive: true, preserveTimestamps: true });
  };
}

const DAY_MS = 24 * 3_600_000;

test("P70 P74: after a snapshot is restored with the ledger in it, the lost time does not stay the newest", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  const restore = snapshot(lab);
  write(path, lines(session("lost", 3)));
  await lab.run();
  restore();
  lab.append(path, [message(9)]);
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "done", left: { sessions: 0 } });
  expect(report.problems).toMatchObject([{ code: "SESSION_RESTARTED", sessionId: "abc" }]);
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  lab.append(path, [message(10)]);
  expect(await lab.run()).toMatchObject({ sent: { lines: 1 }, problems: [] });
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});

test.for(["lost", "rolled back"])(
  "P73 P74: a generation grows although the clock was ahead and the ledger is %s",
  async (how) => {
    await using lab = await Lab.start();
    const path = lab.session("main", "abc");
    const folder = dirname(lab.ledgerPaths.primary);
    await lab.run();
    const saved = how === "lost" ? undefined : `${lab.dir}/saved`;
    if (saved !== undefined) cpSync(folder, saved, { recursive: true });
    lab.append(path, [message(7)]);
    await lab.run();
    lab.clockOffset = 400 * DAY_MS;
    write(path, lines(session("ahead", 3)));
    await lab.run();
    rmSync(folder, { recursive: true });
    if (saved !== undefined) cpSync(saved, folder, { recursive: true });
    lab.clockOffset = 0;
    rest(write(path, lines([...session("abc"), message(8)])));
    await lab.run();
    expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
  },
);

test("P70: an API that always knows a newer generation has a session sent again once a week", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ headers, index }) => {
      const newestGeneration = Number(headers[GENERATION_HEADER]) + 1000;
      const receipt = { accepted: index < 2 ? 5 : 1, rejected: 0, batchId: "b" };
      return {
        kind: "status",
        status: 200,
        body: JSON.stringify({ ...receipt, newestGeneration }),
      };
    },
  });
  await lab.run({ apiUrl: server.url });
  const [first, second] = placesOf(server);
  expect(second).toEqual({ generation: (first?.generation ?? 0) + 1001, firstLine: 0 });
  for (const days of [1, 5]) {
    lab.clockOffset = days * DAY_MS;
    lab.append(path, [message(days)]);
    const report = await lab.run({ apiUrl: server.url });
    expect(report.sent.lines).toBe(1);
    expect(report.problems).toMatchObject([{ message: expect.stringContaining("give each its") }]);
  }
  await server.close();
});

test("P70: what begins anew keeps within the limits of the run", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", session("abc", 40));
  const folder = dirname(lab.ledgerPaths.primary);
  await lab.run();
  lab.append(path, [message(50)]);
  copyFileSync(lab.ledgerPaths.primary, `${lab.dir}/ledger`);
  await lab.run();
  for (const name of [lab.ledgerPaths.primary, lab.ledgerPaths.copy]) {
    copyFileSync(`${lab.dir}/ledger`, name);
  }
  lab.append(path, [message(51)]);
  const upload = { maxBytesPerRun: 3000 };
  const first = await lab.run({ upload });
  expect(first.sent.sourceBytes).toBeLessThanOrEqual(3000);
  expect(first.left.sessions).toBe(1);
  for (let runs = 0; runs < 10; runs++) await lab.run({ upload });
  expect(folder).toContain("influxion");
  expect(lab.received("main", "abc")).toBe(readFileSync(path, "utf8"));
});
