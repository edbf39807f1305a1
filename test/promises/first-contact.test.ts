import { expect, test } from "vitest";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";

test("P86: what goes to a new destination is said before the first byte: in the Gateway's log, once", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.session("ops", "def");
  const server = await startFaultServer({ default: { kind: "cut", at: "before-body" } });
  const content = { filter: { agents: { content: { ops: "metadata" } } } };
  const said = await lab.serve({ apiUrl: server.url, ...content }, 2);
  await server.close();
  const first = `influxion: first upload to ${server.url}, project project, deployment lab: 2 sessions, `;
  expect(said.filter((line) => line.startsWith(first))).toHaveLength(1);
  expect(said[0]).toMatch(/ of transcripts, content full and metadata, credentials redacted$/);
});

test("P86: what goes to a new destination is said before the first byte: by a command, and not once it has taken something", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const first = await lab.sync({ overrides: { redact: { secrets: false } } });
  expect(first.err).toContain(`Note: first upload to ${lab.receiver.url}, project project`);
  expect(first.err).toContain("content full, credentials not redacted.");
  lab.append(path, ['{"type":"message","id":"e9","message":{"role":"user","content":"more"}}']);
  const second = await lab.sync();
  expect(second.out).toContain("Uploaded 1 line");
  expect(second.err).not.toContain("first upload");
});

test("P86: what goes to a new destination is said before the first byte: by status, until it has taken something", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const before = await lab.status();
  expect(before.out).toContain("Sends       content full, credentials redacted\n");
  expect(before.out).toMatch(/To send {5}1 session, .* nothing has been sent to this target yet/);
  await lab.run();
  expect((await lab.status()).out).not.toContain("To send");
});
