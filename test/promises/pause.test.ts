import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type PauseFlags, pauseUploads, resumeUploads } from "../../src/cli/pause.ts";
import { startUploads } from "../../src/openclaw/gateway.ts";
import { pause, pausePath } from "../../src/run/pause.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab, type Spoken, spoken } from "../support/lab.ts";

const HOUR = 3_600_000;

/** `openclaw influxion pause`. */
const pauseIn = ({ stateDir, now }: Lab, flags: PauseFlags = {}): Promise<Spoken> =>
  spoken((terminal) => pauseUploads({ stateDir, flags, terminal, now }));

const resumeIn = ({ stateDir, now }: Lab): Promise<Spoken> =>
  spoken((terminal) => resumeUploads({ stateDir, flags: {}, terminal, now }));

/** The service for as long as it takes to run several times, and what it logs. */
async function serveFor(lab: Lab, ms: number): Promise<string[]> {
  const said: string[] = [];
  const say = (line: string): unknown => said.push(line);
  const { everyMs: _, ...config } = lab.config();
  const scheduler = startUploads(
    { stateDir: lab.stateDir, config: {} as never, logger: { info: say, warn: say } },
    { ...config, upload: { ...config.upload, every: "1s" } },
  );
  scheduler.start();
  await sleep(ms);
  await scheduler.stop();
  return said;
}

test("P106: while uploads are paused the service sends nothing, also after a restart; it says so once", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  expect(await pauseIn(lab)).toMatchObject({ code: 0 });
  expect(await serveFor(lab, 1500)).toEqual(["influxion: uploads are paused"]);
  expect(await serveFor(lab, 1500)).toEqual(["influxion: uploads are paused"]);
  expect(lab.receivedSessions()).toEqual([]);
  await resumeIn(lab);
  await lab.serve();
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P106: a run that is going on stops after the part it is sending, and the next goes on behind it", async () => {
  await using lab = await Lab.start();
  for (const id of ["abc", "def", "ghi"]) lab.session("main", id);
  const server = await startFaultServer({
    script: ({ index }) =>
      index === 0 ? { kind: "hold", until: pause(lab.stateDir, Date.now(), null) } : undefined,
  });
  const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
  const report = await lab.run(overrides, { all: true });
  expect(report).toMatchObject({
    outcome: "paused",
    reason: "uploads are paused",
    sent: { sessions: 1 },
    left: { sessions: 2 },
  });
  expect(server.requests).toHaveLength(1);
  await resumeIn(lab);
  await lab.run(overrides);
  expect(server.requests).toHaveLength(3);
  await server.close();
});

test("P106: a part that is not confirmed is not tried again while uploads are paused", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 503 } });
  const overrides = { apiUrl: server.url, upload: { retryAttempts: 5, retryBackoffMs: 50 } };
  const events = { onRetry: () => void pause(lab.stateDir, Date.now(), null) };
  const report = await lab.run(overrides, { events, random: () => 0.99 });
  expect(report).toMatchObject({ outcome: "paused", sent: { parts: 0 } });
  expect(server.requests).toHaveLength(1);
  await server.close();
});

test("P106: sync by hand says that uploads are paused and how to go on; --force sends", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await pauseIn(lab, { for: "2h" });
  const refused = await lab.sync();
  expect(refused.code).toBe(3);
  expect(refused.err).toMatch(
    /^Nothing was uploaded: uploads are paused until (?:\d{4}-\d\d-\d\d )?\d\d:\d\d; "openclaw influxion resume" ends that, and "sync --force" sends in spite of it\n$/,
  );
  expect(JSON.parse((await lab.sync({ json: true })).out)).toMatchObject({
    outcome: "error",
    error: { code: "PAUSED" },
    exitCode: 3,
  });
  expect(await lab.sync({ dryRun: true })).toMatchObject({ code: 0 });
  expect(lab.receivedSessions()).toEqual([]);
  expect(await lab.sync({ force: true })).toMatchObject({ code: 0 });
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
});

test("P106: a pause is over when its time is, and outlives a clock that is set back", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await pauseIn(lab, { for: "2h" });
  lab.clockOffset = -HOUR;
  expect(await lab.sync()).toMatchObject({ code: 3 });
  lab.clockOffset = 2 * HOUR + 1000;
  expect(await lab.sync()).toMatchObject({ code: 0 });
});

const DAMAGES: readonly [string, (path: string) => void][] = [
  ["is empty", (path) => writeFileSync(path, "")],
  ["is half of what it was", (path) => writeFileSync(path, '{"since": 1')],
  ["has an end that is no time", (path) => writeFileSync(path, '{"since": 1, "until": "soon"}')],
];

for (const [what, damage] of DAMAGES) {
  test(`P106: a pause file that ${what} counts as a pause and is named`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    mkdirSync(dirname(pausePath(lab.stateDir)), { recursive: true });
    damage(pausePath(lab.stateDir));
    const { code, err } = await lab.sync();
    expect(code).toBe(3);
    expect(err).toContain('so nothing is sent until "openclaw influxion resume": ');
    expect(err).toContain(pausePath(lab.stateDir));
    expect((await lab.status()).out).toContain("cannot be read");
    expect(await resumeIn(lab)).toMatchObject({ code: 0 });
    expect(await lab.sync()).toMatchObject({ code: 0 });
  });
}

test("P106: what is no file at the place of the pause file counts as a pause, and is left to a person", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  mkdirSync(pausePath(lab.stateDir), { recursive: true });
  expect(await lab.sync()).toMatchObject({ code: 3 });
  const { code, err } = await resumeIn(lab);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^The pause could not be ended \(\w+\): .*; see that you can write there, or/,
  );
  expect(await lab.sync()).toMatchObject({ code: 3 });
});

test("the pause file is for its owner alone, and holds two times", async () => {
  await using lab = await Lab.start();
  await pauseIn(lab, { until: "2999-12-01" });
  const path = pausePath(lab.stateDir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
    since: expect.any(Number),
    until: new Date(2999, 11, 1).getTime(),
  });
});

test("status shows a pause in the place of the next run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.serve();
  expect((await lab.status()).out).toMatch(/^ {2}Next run/m);
  await pauseIn(lab, { for: "2h" });
  const { out } = await lab.status();
  expect(out).toMatch(/^ {2}Paused {6}until (?:\d{4}-\d\d-\d\d )?\d\d:\d\d \(in 2 h\)$/m);
  expect(out).not.toContain("Next run");
  await pauseIn(lab);
  expect((await lab.status()).out).toMatch(/^ {2}Paused {6}until "openclaw influxion resume"$/m);
});

for (const [flags, said] of [
  [{ for: "2h", until: "2999-12-01" }, '"--for" and "--until" exclude each other'],
  [{ for: "0" }, '"--for" takes a time such as 30m, 2h or 1d'],
  [{ for: "soon" }, '"--for" takes a time such as 30m, 2h or 1d'],
  [{ until: "tomorrow" }, '"--until" takes a day such as 2026-12-01'],
  [{ until: "2020-01-01" }, "this one is over"],
] satisfies [PauseFlags, string][]) {
  test(`pause ${JSON.stringify(flags)} is refused in a sentence, and pauses nothing`, async () => {
    await using lab = await Lab.start();
    const { code, err } = await pauseIn(lab, flags);
    expect(code).toBe(1);
    expect(err).toContain(said);
    expect(await resumeIn(lab)).toMatchObject({ out: "Uploads were not paused.\n" });
  });
}
