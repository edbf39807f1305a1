import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFilter } from "../../src/config/filter.ts";
import { findAgents } from "../../src/stores/agents.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { confirmed, deletionsOf, startDeletingServer } from "../support/deleting-server.ts";
import type { FaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { header, lines, message, session, write } from "../support/transcripts.ts";

let lab: Lab;
let server: FaultServer;

beforeEach(async () => {
  lab = await Lab.start();
  server = await startDeletingServer(confirmed(1));
});

afterEach(async () => {
  await server.close();
  await lab[Symbol.asyncDispose]();
});

const run = (onDelete: "keep" | "forget" = "forget") => lab.run({ apiUrl: server.url, onDelete });

/** As the host writes the time of a deletion into a name. */
const stamp = (at = Date.now()): string => new Date(at).toISOString().replaceAll(":", "-");

/** Deletes a session as a host with files does. */
function deleteFile(path: string, at?: number): void {
  renameSync(path, `${path}.deleted.${stamp(at)}`);
}

const deleted = (): string[] =>
  deletionsOf(server).map(({ agentId, sessionId }) => `${agentId}/${sessionId}`);

test("P82: a session that was sent and is deleted in OpenClaw is deleted by the API, once", async () => {
  const path = lab.session("main", "abc");
  lab.session("main", "def");
  await run();
  deleteFile(path);
  expect(await run()).toMatchObject({
    outcome: "done",
    sent: { parts: 0 },
    deletions: { done: 1, deleted: 1, pending: 0 },
  });
  await run();
  expect(deleted()).toEqual(["main/abc"]);
  expect(deletionsOf(server)[0]).toMatchObject({ scope: "session" });
});

test("P57: --dry-run lists what the API would be asked to delete, and asks for nothing", async () => {
  const path = lab.session("main", "abc");
  await run();
  deleteFile(path);
  const overrides = { apiUrl: server.url, onDelete: "forget" };
  for (let time = 0; time < 2; time++) {
    expect((await lab.sync({ dryRun: true, overrides })).out).toContain(
      "The API would be asked to delete what it has of main/abc.\n",
    );
  }
  expect(deleted()).toEqual([]);
  const { deletions } = JSON.parse((await lab.sync({ dryRun: true, json: true, overrides })).out);
  expect(deletions).toMatchObject([{ agentId: "main", sessionId: "abc" }]);
});

test("P82: without onDelete, what the API has of a deleted session stays", async () => {
  const path = lab.session("main", "abc");
  await run("keep");
  deleteFile(path);
  await run("keep");
  await lab.run({ apiUrl: server.url });
  expect(deleted()).toEqual([]);
});

test("P82: a session that is only gone is not deleted by the API", async () => {
  const paths = ["abc", "def"].map((id) => lab.session("main", id));
  await run();
  rmSync(paths[0] ?? "");
  await run();
  // The disk is not mounted.
  renameSync(dirname(paths[1] ?? ""), `${lab.dir}/away`);
  await run();
  mkdirSync(dirname(paths[1] ?? ""));
  await run();
  expect(deleted()).toEqual([]);
});

test("P82: a session that was deleted and made anew is not deleted by that, also when it is gone later", async () => {
  const path = lab.session("main", "abc");
  deleteFile(path, Date.now() - 60_000);
  lab.session("main", "abc");
  await run();
  rmSync(path);
  await run();
  expect(deleted()).toEqual([]);
});

test("P82: a session that is there is not deleted, whatever lies beside it", async () => {
  const path = lab.session("main", "abc");
  await run();
  write(`${path}.deleted.${stamp()}`, readFileSync(path));
  await run();
  expect(deleted()).toEqual([]);
});

test("P82: what was never sent is not asked for", async () => {
  const path = lab.session("main", "abc");
  deleteFile(path);
  await run();
  expect(server.requests).toEqual([]);
});

test("P82: archives of resets that a deleted session leaves are not sent again", async () => {
  const path = lab.session("main", "abc");
  renameSync(path, `${path}.reset.2026-11-22T10-03-36.159Z`);
  lab.session("main", "abc", [header("abc"), ...[1, 2, 3].map((n) => message(n, "x".repeat(300)))]);
  await run();
  const { length } = server.requests;
  deleteFile(path);
  // One that is not sent yet, too.
  write(`${path}.reset.2026-11-22T10-04-36.159Z`, lines(session("abc", 9)));
  await run();
  await run();
  expect(server.requests).toHaveLength(length + 1);
  const { counts } = JSON.parse(
    (await lab.status({ json: true, overrides: { apiUrl: server.url } })).out,
  );
  expect(counts).toMatchObject({ found: 1, skipped: { forget: 1 } });
});

test("P82: a session that is deleted in a database is deleted by the API", async () => {
  const host = new AgentDb(lab.stateDir);
  for (const id of ["abc", "def", "ghi"]) host.addSession(id, conversation(id, 6));
  await run();
  host.deleteSession("abc", Date.now());
  rmSync(host.sessionsDir, { recursive: true });
  // Evicted, say: the host does not say that it deleted it.
  host.db.exec("DELETE FROM session_windows WHERE session_id = 'def'");
  await run();
  host.close();
  expect(deleted()).toEqual(["main/abc"]);
});

test("the archive in a file that a host with a database leaves is a proof, too", async () => {
  const host = new AgentDb(lab.stateDir);
  host.addSession("abc", conversation("abc", 6));
  host.deleteSession("abc");
  const agents = await findAgents({
    ...lab.options(),
    filter: createFilter(lab.config().filter, 0),
    knownBytes: () => undefined,
  });
  await using _agents = agents;
  const found = await Promise.all(
    agents.agents.flatMap(({ stores }) =>
      stores.map(async (store) => [store.kind, [...((await store.deleted?.()) ?? [])]]),
    ),
  );
  host.close();
  expect(found).toEqual([
    ["jsonl", [["abc", Date.parse("2026-11-22T11:45:08.117Z")]]],
    ["sqlite", [["abc", 0]]],
  ]);
});

test("P82: an agent that cannot be looked at as a whole loses nothing", async () => {
  const path = lab.session("main", "abc");
  const host = new AgentDb(lab.stateDir);
  host.addSession("def", conversation("def", 6));
  await run();
  host.db.exec("ALTER TABLE transcript_events RENAME TO transcript_events_of_a_newer_host");
  deleteFile(path);
  await run();
  expect(deleted()).toEqual([]);
  host.db.exec("ALTER TABLE transcript_events_of_a_newer_host RENAME TO transcript_events");
  await run();
  host.close();
  expect(deleted()).toEqual(["main/abc"]);
});

test("P80: the deletion of a deleted session is asked for until the API confirms it", async () => {
  await server.close();
  server = await startDeletingServer({ kind: "status", status: 405 }, confirmed(1));
  const path = lab.session("main", "abc");
  await run();
  deleteFile(path);
  expect(await run()).toMatchObject({ problems: [{ code: "DELETION_PENDING" }] });
  lab.clockOffset += 3_600_001;
  expect(await run()).toMatchObject({ deletions: { done: 1, pending: 0 } });
});
