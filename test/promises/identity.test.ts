import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { SETTLE_MS } from "../../src/stores/idle.ts";
import { JsonlReader } from "../../src/stores/jsonl/reader.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import {
  lines,
  message,
  rest,
  session,
  sessionPath,
  touch,
  write,
} from "../support/transcripts.ts";

const LONG = "x".repeat(900);

test("P12: appending k bytes to a session of n bytes sends about k bytes", async () => {
  await using lab = await Lab.start();
  const big = Array.from({ length: 21_000 }, (_, n) => message(n, LONG));
  const path = lab.session("main", "big", [...session("big"), ...big]);
  await lab.run({ upload: { maxBytesPerRun: 100_000_000 } });
  lab.append(path, [message(99_999, LONG)]);
  const report = await lab.run();
  expect(report.sent.lines).toBe(1);
  expect(report.sent.sourceBytes).toBeLessThan(1100);
  expect(report.sent.wireBytes).toBeLessThan(1100);
  expect(lab.received("main", "big")).toBe(readFileSync(path, "utf8"));
});

test("P13: a session rewritten in place with the same bytes sends nothing", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  writeFileSync(path, readFileSync(path));
  expect((await lab.run()).sent.parts).toBe(0);
  rest(path, 30);
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P13: in the middle of being rewritten it is looked at again, not believed", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, 100));
  expect((await lab.run()).left).toMatchObject({ sessions: 1, settling: 1 });
  writeFileSync(path, "");
  expect((await lab.run()).sent.parts).toBe(0);
  writeFileSync(path, whole);
  expect(await lab.run()).toMatchObject({
    outcome: "done",
    sent: { parts: 0 },
    left: { sessions: 0 },
  });
});

test("P13: what a run saw in the middle of a rewrite is looked at again, also within one tick of the clock", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", session("abc", 3));
  await lab.run();
  lab.append(path, [message(7), message(8)]);
  touch(path);
  // The host truncates after the folder was listed, and is done within the tick: size and time are as they were.
  const end = { kind: "end", torn: false } as const;
  const cut = vi.spyOn(JsonlReader.prototype, "cut").mockResolvedValue(end);
  await lab.run();
  cut.mockRestore();
  lab.clockOffset = SETTLE_MS + 1000;
  expect((await lab.run()).sent.lines).toBe(2);
});

test("P14: a session truncated and rewritten with other bytes starts a new generation", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  lab.session("main", "abc", session("shorter", 3));
  const report = await lab.run();
  expect(report.sent.lines).toBe(4);
  expect(lab.received("main", "abc", 1)).toBe(readFileSync(path, "utf8"));
});

test("P14: a shrink is believed once the file has been at rest", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  lab.session("main", "abc", session("abc", 2));
  touch(path);
  expect((await lab.run()).sent.parts).toBe(0);
  lab.clockOffset = SETTLE_MS + 1000;
  expect((await lab.run()).sent.lines).toBe(3);
});

test("P15: a rewrite whose size is not smaller than the stored position is noticed", async () => {
  await using lab = await Lab.start();
  lab.session("main", "same");
  lab.session("main", "larger");
  await lab.run();
  const same = lab.session("main", "same", session("SAME"));
  const larger = lab.session("main", "larger", session("another", 9));
  expect((await lab.run()).sent.sessions).toBe(2);
  expect(lab.received("main", "same", 1)).toBe(readFileSync(same, "utf8"));
  expect(lab.received("main", "larger", 1)).toBe(readFileSync(larger, "utf8"));
});

test("P16: a file deleted and created anew under the same name is a new stream", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  rmSync(path);
  await lab.run();
  const entries = session("abc", 8).map((entry) => entry.replace("2026-10-01T08", "2026-10-02T08"));
  lab.session("main", "abc", entries);
  expect((await lab.run()).sent.lines).toBe(9);
  expect(lab.received("main", "abc", 1)).toBe(readFileSync(path, "utf8"));
});

test("P16: a new stream of the same size is noticed by its beginning, also when it ends like the old one", async () => {
  await using lab = await Lab.start();
  const ending = Array.from({ length: 10 }, (_, n) => message(n, LONG));
  lab.session("main", "abc", [message(0, "one begins like this"), ...ending]);
  await lab.run();
  const path = lab.session("main", "abc", [message(0, "two begins like that"), ...ending]);
  expect((await lab.run()).sent.lines).toBe(11);
  expect(lab.received("main", "abc", 1)).toBe(readFileSync(path, "utf8"));
});

test("P17: a session archived by a reset between two runs still delivers its tail, once", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.run();
  lab.append(path, [message(10), message(11)]);
  const archived = `${path}.reset.2026-11-22T09-56-39.719Z`;
  renameSync(path, archived);
  const fresh = lab.session("main", "abc", session("abc-again"));
  const report = await lab.run();
  expect(report.sent.lines).toBe(2 + 5);
  expect(lab.received("main", "abc", 0)).toBe(readFileSync(archived, "utf8"));
  expect(lab.received("main", "abc", 1)).toBe(readFileSync(fresh, "utf8"));
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P17: several resets between two runs arrive whole and in order", async () => {
  await using lab = await Lab.start();
  const path = sessionPath(lab.stateDir, "main", "abc.jsonl");
  const first = write(`${path}.reset.2026-11-22T09-00-00.000Z`, lines(session("one")));
  const second = write(`${path}.reset.2026-11-22T10-00-00.000Z`, lines(session("two")));
  write(path, lines(session("three")));
  await lab.run();
  const held = [0, 1, 2].map((generation) => lab.received("main", "abc", generation));
  expect(held).toEqual([first, second, path].map((file) => readFileSync(file, "utf8")));
  expect((await lab.run()).sent.parts).toBe(0);
});

test("P18: a deleted session is never uploaded after its deletion", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  renameSync(path, `${path}.deleted.2026-11-22T10-03-36.159Z`);
  expect((await lab.run()).sent.parts).toBe(0);
  expect((await lab.status({ json: true })).out).not.toContain("abc");
});

test("P18: deleted while a part of it is unconfirmed, it is not sent again", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 503 } });
  await lab.run({ apiUrl: server.url });
  renameSync(path, `${path}.deleted.2026-11-22T10-03-36.159Z`);
  await lab.run({ apiUrl: server.url });
  await server.close();
  expect(server.requests).toHaveLength(1);
});

test("P20: a very small session above minBytes is delivered", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "tiny", [message(0), message(1)]);
  await lab.run({ filter: { minBytes: 10 } });
  expect(lab.received("main", "tiny")).toBe(readFileSync(path, "utf8"));
});

test("P20: two sessions with equal beginnings are not confused", async () => {
  await using lab = await Lab.start();
  const one = lab.session("main", "one", session("same"));
  const two = lab.session("main", "two", [...session("same"), message(50)]);
  await lab.run();
  lab.append(one, [message(60)]);
  await lab.run();
  expect(lab.received("main", "one")).toBe(readFileSync(one, "utf8"));
  expect(lab.received("main", "two")).toBe(readFileSync(two, "utf8"));
});

test("P21: a session that loses its read permission is reported and tried again; nothing else suffers", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  lab.session("main", "fine");
  // A loop of symlinks cannot be opened by anybody, root included.
  const loop = sessionPath(lab.stateDir, "main", "loop.jsonl");
  const { symlinkSync } = await import("node:fs");
  symlinkSync(loop, loop);
  const report = await lab.run();
  expect(report.sent.sessions).toBe(2);
  expect(report.problems.map(({ message: text }) => text)).toEqual([
    "loop.jsonl: a symlink, which is not followed",
  ]);
  rmSync(loop);
  writeFileSync(loop, readFileSync(path));
  rest(loop);
  expect(await lab.run()).toMatchObject({ sent: { sessions: 1 }, problems: [] });
});

test("P21: a session that vanishes between finding and reading waits; nothing else suffers", async () => {
  await using lab = await Lab.start();
  const gone = lab.session("main", "gone");
  lab.session("main", "stays");
  const report = await lab.run({}, { events: { onPlan: () => rmSync(gone) } });
  expect(report.sent.sessions).toBe(1);
  expect(report.failures).toEqual([
    { agentId: "main", sessionId: "gone", reason: "gone.jsonl cannot be opened (it is gone)" },
  ]);
});

test("a short session that is rewritten between two attempts at a part is not sent as it was", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const rewritten = lines([...session("abc"), message(70), message(71)]).replaceAll(
    "hello",
    "other",
  );
  const server = await startFaultServer({
    script: ({ index }) => {
      if (index > 0) return undefined;
      writeFileSync(path, rewritten);
      return { kind: "status", status: 500 };
    },
  });
  const options = { apiUrl: server.url, upload: { retryAttempts: 3 } };
  const report = await lab.run(options);
  expect(report).toMatchObject({ sent: { parts: 0 }, left: { sessions: 1 } });
  rest(path);
  await lab.run(options);
  await server.close();
  expect(server.requests).toHaveLength(2);
  const sent = server.requests[1]?.lines?.map((line) => JSON.parse(line).payload);
  expect(sent?.map((payload) => `${JSON.stringify(payload)}\n`).join("")).toBe(rewritten);
});

test("a session rewritten after a part of it may have arrived begins anew rather than overlap", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ index }) => (index === 1 ? { kind: "accept-then-drop" } : undefined),
  });
  const apiUrl = server.url;
  await lab.run({ apiUrl });
  lab.append(path, [message(10), message(11)]);
  await lab.run({ apiUrl });
  lab.session("main", "abc", [...session("abc"), message(70), message(71), message(72)]);
  await lab.run({ apiUrl });
  await server.close();
  const sent = server.requests.map(({ lines: body = [] }) =>
    body.map((line) => JSON.parse(line).lineIndex),
  );
  expect(sent).toEqual([
    [0, 1, 2, 3, 4],
    [5, 6],
    [0, 1, 2, 3, 4, 5, 6, 7],
  ]);
});
