import { expect, test } from "vitest";
import { appendHistory } from "../../src/run/history.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

test("history shows a line for each run: when, by whom, what was sent, what failed and why", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.sync();
  lab.append(path, [message(50)]);
  const server = await startFaultServer({ default: { kind: "cut", at: "before-body" } });
  for (let runs = 0; runs < 3; runs++) await lab.sync({ overrides: { apiUrl: server.url } });
  await server.close();
  await lab.serve();
  const { out, code } = await lab.history();
  const [first, second, third, ...others] = out.split("\n");
  expect(code).toBe(0);
  const at = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d";
  expect(first).toMatch(new RegExp(`^${at}  command  done {9}1 session, 5 lines, \\d+ B$`));
  expect(second).toMatch(
    new RegExp(`^${at}  command  unreachable  nothing sent, 3 times since \\d\\d:\\d\\d; `),
  );
  expect(third).toMatch(/ {2}gateway {2}done {9}1 session, 1 line, \d+ B$/);
  expect(others).toEqual([""]);
});

test("history works where nothing is configured and nothing has run", async () => {
  await using lab = await Lab.start();
  const words = "No run has sent anything or met any trouble yet.\n";
  expect(await lab.history()).toEqual({ code: 0, out: words, err: "" });
});

test("history shows as many runs as are asked for, and refuses what is no number", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  for (let runs = 0; runs < 3; runs++) {
    await lab.sync();
    lab.append(path, [message(50 + runs)]);
  }
  expect(JSON.parse((await lab.history({ limit: "2", json: true })).out).runs).toHaveLength(2);
  for (const limit of ["0", "-1", "many"]) {
    expect(await lab.history({ limit })).toMatchObject({ code: 1, out: "" });
  }
});

test("what a reason holds does nothing on a terminal, and goes on below itself", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  const at = new Date(lab.now()).toISOString();
  const reason = `\u001b[2J\u202e ${"the API is not there today. ".repeat(6)}`;
  const sent = { sessions: 0, lines: 0, parts: 0, bytes: 0, wireBytes: 0, failed: 0 };
  const run = { at, startedAt: at, trigger: "interval", outcome: "unreachable", reason };
  await appendHistory(lab.stateDir, { ...run, ...sent, waiting: null, durationMs: 1 });
  const { out } = await lab.history({ columns: 80 });
  const text = out.replace(/\p{Cc}\[3\d?m/gu, "");
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
  const [, ...lines] = text.trimEnd().split("\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines.slice(1)) expect(line).toMatch(/^ {18}\S/);
});
