import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb } from "../support/agent-db.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { lines, message, session, write } from "../support/transcripts.ts";

/** The ledger that version 1 leaves when it has uploaded these files as they are. */
function uploadedByVersion1(lab: Lab, paths: readonly string[]): void {
  const files = Object.fromEntries(
    paths.map((path) => {
      const content = readFileSync(path);
      const etag = `sha256:${createHash("sha256").update(content).digest("hex")}`;
      const record = {
        uploadedAt: "2026-10-01T00:00:00Z",
        uploadedSizeBytes: content.length,
        uploadedLines: content.toString("utf8").split("\n").length - 1,
        etag,
      };
      return [path.slice(lab.stateDir.length + 1), record];
    }),
  );
  const { earlier } = lab.ledgerPaths;
  mkdirSync(dirname(earlier), { recursive: true });
  writeFileSync(earlier, JSON.stringify({ schemaVersion: 1, lastRunAt: null, files }));
}

/** A run, and the `lineIndex` of each line it sent. */
async function sentBy(lab: Lab): Promise<Record<string, number[]>> {
  const server = await startFaultServer();
  const report = await lab.run({ apiUrl: server.url });
  await server.close();
  expect(report.failures).toEqual([]);
  const sent: Record<string, number[]> = {};
  for (const { lines: body = [] } of server.requests) {
    for (const line of body) {
      const { sessionId, lineIndex } = JSON.parse(line) as { sessionId: string; lineIndex: number };
      sent[sessionId] = [...(sent[sessionId] ?? []), lineIndex];
    }
  }
  return sent;
}

const RESET = ".reset.2026-11-22T10-07-24.663Z";

/** What the host's upgrade does: the entries go into the database, the file into an archive. */
function moveToSqlite(lab: Lab, path: string, sessionId: string, more: readonly string[]): string {
  const agent = new AgentDb(lab.stateDir);
  onTestFinished(() => agent.close());
  const entries = readFileSync(path, "utf8").trimEnd().split("\n");
  agent.addSession(sessionId, [...entries, ...more]);
  const name = `${sessionId}.jsonl`.replace(/[^A-Za-z0-9_.-]+/g, "_");
  const archive = join(dirname(dirname(path)), "session-sqlite-import-archive");
  mkdirSync(archive, { recursive: true });
  const to = join(archive, `agent_main_main.${name}.imported-1795000000000`);
  renameSync(path, to);
  return to;
}

test("what an earlier plugin uploaded is not sent again", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "old");
  const grown = lab.session("main", "grown");
  const changed = lab.session("main", "changed");
  uploadedByVersion1(lab, [path, grown, changed]);
  lab.append(grown, [message(9)]);
  lab.session("main", "changed", session("other"));
  const server = await startFaultServer();
  const report = await lab.run({ apiUrl: server.url });
  await server.close();
  const sent = server.requests.map(({ lines = [] }) => lines.map((line) => JSON.parse(line)));
  expect(report.sent.sessions).toBe(2);
  expect(
    sent
      .flat()
      .filter((line) => line.sessionId === "grown")
      .map((line) => line.lineIndex),
  ).toEqual([5]);
  expect(
    sent
      .flat()
      .filter((line) => line.sessionId === "changed")
      .map((line) => line.lineIndex),
  ).toEqual([0, 1, 2, 3, 4]);
  const ledger = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8"));
  expect(ledger.schemaVersion).toBe(2);
  expect(ledger.legacy).toEqual({});
});

test("the ledger of version 1 is removed once it is in the new one, its folder only if nothing else is there", async () => {
  for (const others of [[], ["package.json"]]) {
    await using lab = await Lab.start();
    uploadedByVersion1(lab, [lab.session("main", "abc")]);
    const folder = dirname(lab.ledgerPaths.earlier);
    for (const name of others) writeFileSync(join(folder, name), "{}");
    lab.session("main", "new");
    expect(Object.keys(await sentBy(lab))).toEqual(["new"]);
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual(others);
    expect(existsSync(folder)).toBe(others.length > 0);
  }
});

test("P6: a damaged ledger of version 1 is kept aside and reported", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { earlier } = lab.ledgerPaths;
  mkdirSync(dirname(earlier), { recursive: true });
  writeFileSync(earlier, '{"schemaVersion":1,"files":');
  const report = await lab.run();
  expect(report.problems.map(({ code }) => code)).toEqual(["LEDGER_DAMAGED", "LEDGER_LOST"]);
  expect(readdirSync(dirname(earlier))).toEqual([expect.stringMatching(/^state\.json\.damaged-/)]);
  expect((await lab.run()).problems).toEqual([]);
});

test("P17: of a session that version 1 uploaded and a reset renamed, the tail is sent and the new one", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  uploadedByVersion1(lab, [path]);
  lab.append(path, [message(7), message(8)]);
  renameSync(path, path + RESET);
  lab.session("main", "abc", session("anew", 2));
  expect(await sentBy(lab)).toEqual({ abc: [5, 6, 0, 1, 2] });
});

test("P17: a file that a reset set aside before version 1 saw its successor takes nothing from that", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  uploadedByVersion1(lab, [path]);
  write(path + RESET, lines(session("before", 6)));
  // What the server has last must be what is there now, so that is sent again behind it.
  expect(await sentBy(lab)).toEqual({ abc: [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4] });
});

test.each(["abc", "a.b_ü-topic"])(
  "P19: session %j that version 1 uploaded and an upgrade moved into SQLite continues",
  async (sessionId) => {
    await using lab = await Lab.start();
    const path = lab.session("main", sessionId);
    uploadedByVersion1(lab, [path]);
    lab.append(path, [message(7)]);
    moveToSqlite(lab, path, sessionId, [message(8), message(9)]);
    expect(await sentBy(lab)).toEqual({ [sessionId]: [5, 6, 7] });
  },
);

test("P19: a session that version 1 uploaded whole and an upgrade moved into SQLite sends nothing", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  uploadedByVersion1(lab, [path]);
  moveToSqlite(lab, path, "abc", []);
  expect(await sentBy(lab)).toEqual({});
  const ledger = JSON.parse(readFileSync(lab.ledgerPaths.primary, "utf8"));
  expect(ledger).toMatchObject({ schemaVersion: 2, legacy: {} });
});

const unknown: [string, (archive: string) => void][] = [
  ["is gone", (archive) => rmSync(archive)],
  ["is another file", (archive) => write(archive, lines(session("other")))],
  ["is shorter than what was uploaded", (archive) => write(archive, lines(session("abc", 1)))],
  ["is no session", (archive) => write(archive, "something else\n".repeat(100))],
];

test.each(unknown)(
  "P19: a session in SQLite whose original %s is sent from its beginning",
  async (_what, change) => {
    await using lab = await Lab.start();
    const path = lab.session("main", "abc");
    uploadedByVersion1(lab, [path]);
    change(moveToSqlite(lab, path, "abc", []));
    expect(await sentBy(lab)).toEqual({ abc: [0, 1, 2, 3, 4] });
  },
);

test("P19: a session whose rows are not those of the original is sent from its beginning", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  uploadedByVersion1(lab, [path]);
  moveToSqlite(lab, path, "abc", []);
  const db = new DatabaseSync(join(lab.stateDir, "agents/main/agent/openclaw-agent.sqlite"));
  db.exec(
    "UPDATE transcript_events SET event_json = replace(event_json, 'e3', 'f3') WHERE seq = 4",
  );
  db.close();
  expect(await sentBy(lab)).toEqual({ abc: [0, 1, 2, 3, 4] });
});

test("P79: of what version 1 sent of a forgotten session nothing is left; taken back, it goes as a whole", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  uploadedByVersion1(lab, [path]);
  await lab.forget({ session: ["abc"] });
  lab.append(path, [message(9)]);
  expect((await lab.run()).sent.parts).toBe(0);
  await lab.forget({ session: ["abc"], undo: true });
  expect(await lab.run()).toMatchObject({ sent: { lines: 6 }, problems: [] });
});
