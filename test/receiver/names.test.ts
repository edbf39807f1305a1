import { readdir, rename } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fileOf, nameOf, streamOf } from "../../src/receiver/names.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body, line } from "./wire.ts";

test("ordinary ids are their own file names", () => {
  const id = "3f2c9e1a-0b4d-4c7e-9a55-1d2e3f4a5b6c";
  expect(fileOf(streamOf("main", id), 0)).toBe(`sessions/main/${id}.jsonl`);
  expect(fileOf(streamOf("main", id), 2)).toBe(`sessions/main/${id}.g2.jsonl`);
});

test("no id leads outside its folder", () => {
  const ids = ["..", ".", "../../x", "/etc/passwd", "C:\\x", "a\0b", "a/../../b", "~", "%2e%2e"];
  for (const id of ids) expect(nameOf(id)).toMatch(/^[a-z0-9_%-]+$/);
});

test("no two ids share a file, not even where capitals do not count", () => {
  const id = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("a", "A", "a.g1", "%61", "\ud800", "\ud801", "é", "e\u0301"),
    fc.string({ unit: "binary", minLength: 150, maxLength: 300 }),
  );
  fc.assert(
    fc.property(id, id, (a, b) => {
      expect(nameOf(a).toLowerCase() === nameOf(b).toLowerCase()).toBe(a === b);
    }),
    { numRuns: 2000 },
  );
});

test("names stay within what file systems allow", () => {
  for (const id of ["x".repeat(5000), "é".repeat(181), "\ud800".repeat(200)]) {
    expect(nameOf(id).length).toBeLessThan(200);
  }
  expect(nameOf("\ud800".repeat(200))).not.toBe(nameOf("\ud801".repeat(200)));
});

const DEVICES = ["con", "prn", "aux", "nul", "com1", "lpt9", "CON", "Nul", "aux.txt", "com1.g1"];
/** https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const IMPOSSIBLE = /[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

test("no file has a name that Windows cannot have", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  const ids = [...DEVICES, "dot.", "space ", " ", "a:b", "a?b", "con-1", "%63on"];
  for (const [n, id] of ids.entries()) {
    for (const again of ["", "again"]) {
      const text = line({ agentId: id, sessionId: id, payload: `{"id":"${again}"}` });
      expect((await send(receiver.url, `k${n}${again}`, text)).status).toBe(200);
    }
  }
  const files = receiver.sessions().map(({ file }) => relative(join(dir, "sessions"), file));
  expect(new Set(files).size).toBe(2 * ids.length);
  for (const name of files.flatMap((file) => file.split(sep))) expect(name).not.toMatch(IMPOSSIBLE);
});

test("a session that the version before stored under such a name is continued there", async () => {
  const dir = await tempDir();
  const first = await receiverIn(dir);
  await send(first.url, "k1", body(0, 2, { agentId: "aux" }));
  await first.close();
  await rename(join(dir, "sessions/%61ux"), join(dir, "sessions/aux"));
  const db = new DatabaseSync(join(dir, "index.sqlite"));
  db.exec("UPDATE sessions SET file = replace(file, '%61ux', 'aux')");
  db.close();
  const second = await receiverIn(dir);
  expect((await send(second.url, "k2", body(2, 3, { agentId: "aux" }))).status).toBe(200);
  const [held] = second.sessions();
  expect(held).toMatchObject({ file: join(dir, "sessions/aux/s1.jsonl"), lines: 3 });
});

test("sessions with hostile ids are stored, apart, inside the receiver's folder", async () => {
  const parent = await tempDir();
  const dir = join(parent, "received");
  const receiver = await receiverIn(dir);
  const ids = ["../../x", "..", "/abs", "a\u0000b", "\ud800", "\ud801", "x".repeat(1000), "S", "s"];
  for (const [n, id] of ids.entries()) {
    const text = body(0, 1, { agentId: id, sessionId: id, payload: `{"id":${n}}` });
    expect((await send(receiver.url, `k${n}`, text)).json).toMatchObject({ accepted: 1 });
  }
  expect(await readdir(parent)).toEqual(["received"]);
  const files = receiver.sessions().map(({ file }) => relative(join(dir, "sessions"), file));
  expect(new Set(files).size).toBe(ids.length);
  for (const file of files) {
    expect(isAbsolute(file) || file.startsWith("..")).toBe(false);
  }
});

test("a session named like another one's generation is not mixed up with it", async () => {
  const receiver = await receiverIn(await tempDir());
  await send(receiver.url, "k1", line({ sessionId: "a" }));
  await send(receiver.url, "k2", line({ sessionId: "a", payload: '{"again":1}' }));
  await send(receiver.url, "k3", line({ sessionId: "a.g1" }));
  expect(new Set(receiver.sessions().map(({ file }) => file)).size).toBe(3);
});
