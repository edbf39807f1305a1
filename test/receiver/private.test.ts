import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { startReceiver } from "../../src/receiver/server.ts";
import { fileOf, receiverIn, send, tempDir } from "./support.ts";
import { body, entries, KEY } from "./wire.ts";

// Windows has no bits for group and others.
const posix = process.platform !== "win32";

/** What group and others may do with a folder and everything in it, by path. */
async function openToOthers(dir: string): Promise<Record<string, string>> {
  const paths = ["", ...(await readdir(dir, { recursive: true }))];
  const open: Record<string, string> = {};
  for (const path of paths) {
    const bits = (await stat(join(dir, path))).mode & 0o077;
    if (bits !== 0) open[path] = bits.toString(8);
  }
  return open;
}

async function openUp(dir: string): Promise<void> {
  for (const path of ["", ...(await readdir(dir, { recursive: true }))]) {
    const full = join(dir, path);
    await chmod(full, (await stat(full)).isDirectory() ? 0o777 : 0o666);
  }
}

test.runIf(posix)("only the owner can read anything in the folder", async () => {
  const dir = join(await tempDir(), "received");
  const receiver = await startReceiver({ dir, port: 0 });
  await send(receiver.url, "k1", body(0, 2), { authorization: `Bearer ${receiver.key}` });
  expect(await readdir(dir)).toContain("index.sqlite-wal");
  expect(await openToOthers(dir)).toEqual({});
  await receiver.close();
  expect(await openToOthers(dir)).toEqual({});
});

test.runIf(posix)("a folder that others could read is made private, with all in it", async () => {
  const dir = await tempDir();
  const first = await startReceiver({ dir, port: 0 });
  const authorization = `Bearer ${first.key}`;
  await send(first.url, "k1", body(0, 2), { authorization });
  await openUp(dir);
  await first.close();
  await openUp(dir);
  const second = await startReceiver({ dir, port: 0 });
  expect(await openToOthers(dir)).toEqual({});
  await send(second.url, "k2", body(2, 3), { authorization });
  expect(await fileOf(second)).toBe(entries(0, 3));
  expect(await openToOthers(dir)).toEqual({});
  await second.close();
});

test.runIf(posix)("an empty folder that others could read becomes the receiver's", async () => {
  const dir = await tempDir();
  await chmod(dir, 0o755);
  await receiverIn(dir);
  expect(await openToOthers(dir)).toEqual({});
});

test.for<[whose: string, names: string[]]>([
  ["somebody's home", ["Documents", "notes.txt"]],
  ["an agent's folder of OpenClaw", ["sessions"]],
  ["something with a key in it", ["key"]],
])("%s is refused, and nothing in it is changed", async ([, names]) => {
  const dir = await tempDir();
  for (const name of names) await mkdir(join(dir, name));
  await chmod(dir, 0o755);
  const { mode } = await stat(dir);
  await expect(receiverIn(dir)).rejects.toMatchObject({
    code: "RECEIVER_DIR_UNUSABLE",
    message: `${dir} cannot be the receiver's folder, because it holds other things and no index.sqlite of a receiver; choose another one with --dir`,
  });
  expect((await readdir(dir)).sort()).toEqual([...names].sort());
  expect((await stat(dir)).mode).toBe(mode);
});

test.runIf(posix)(
  "in a folder that was shared before, only what is the receiver's is changed",
  async () => {
    const dir = await tempDir();
    const first = await receiverIn(dir);
    await send(first.url, "k1", body(0, 2));
    await first.close();
    await writeFile(join(dir, "notes.txt"), "mine");
    await writeFile(join(dir, "sessions/main/notes.txt"), "mine");
    await openUp(dir);
    const second = await receiverIn(dir);
    expect(await fileOf(second)).toBe(entries(0, 2));
    expect(await openToOthers(dir)).toEqual({
      "": "77",
      "notes.txt": "66",
      "sessions/main/notes.txt": "66",
    });
  },
);

test("a database of some other program is refused, and stays as it is", async () => {
  for (const sql of [
    "CREATE TABLE documents (text TEXT)",
    "CREATE TABLE sessions (colour TEXT)",
    "CREATE TABLE documents (text TEXT); PRAGMA user_version = 1",
  ]) {
    const dir = await tempDir();
    const path = join(dir, "index.sqlite");
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
    const before = await readFile(path);
    await expect(receiverIn(dir)).rejects.toMatchObject({ code: "RECEIVER_DAMAGED" });
    expect((await readFile(path)).equals(before)).toBe(true);
  }
});

test("a file that the index does not know is not written to", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir);
  await mkdir(join(dir, "sessions/main"), { recursive: true });
  await writeFile(join(dir, "sessions/main/s1.jsonl"), "mine");
  expect((await send(receiver.url, "k1", body(0, 2))).status).toBe(200);
  const [held] = receiver.sessions();
  expect(relative(dir, held?.file ?? "")).toBe(join("sessions", "main", "s1.g1.jsonl"));
  expect(await readFile(join(dir, "sessions/main/s1.jsonl"), "utf8")).toBe("mine");
});

for (const name of ["index.sqlite", "lock.sqlite"]) {
  test.runIf(posix)(`P65: a FIFO in the place of ${name} is refused at once`, async () => {
    const dir = await tempDir();
    execFileSync("mkfifo", [join(dir, name)]);
    await expect(receiverIn(dir)).rejects.toMatchObject({
      code: "RECEIVER_DIR_UNUSABLE",
      message: expect.stringContaining(`${name} is a FIFO`),
    });
  });
}

const inTheWay: [name: string, put: (path: string, target: string) => Promise<unknown>][] = [
  ["a FIFO", async (path) => execFileSync("mkfifo", [path])],
  ["a link", (path, target) => symlink(target, path)],
];

for (const [name, put] of inTheWay) {
  test.runIf(posix)(`P65: ${name} in the place of a session's file is refused`, async () => {
    const dir = await tempDir();
    const target = join(await tempDir(), "target");
    const content = "somebody's ".repeat(100);
    await writeFile(target, content);
    const first = await receiverIn(dir);
    await send(first.url, "k1", body(0, 2));
    execFileSync("rm", [join(dir, "sessions/main/s1.jsonl")]);
    await put(join(dir, "sessions/main/s1.jsonl"), target);
    expect((await send(first.url, "k2", body(2, 3))).status).toBe(503);
    await first.close();
    await expect(startReceiver({ dir, key: KEY, port: 0 })).rejects.toMatchObject({
      code: "RECEIVER_DAMAGED",
      message: expect.stringContaining("s1.jsonl"),
    });
    expect(await readFile(target, "utf8")).toBe(content);
  });
}
