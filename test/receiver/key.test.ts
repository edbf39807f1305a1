import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReceiver } from "../../src/receiver/server.ts";
import { receiverIn, tempDir } from "./support.ts";

/** The key of a receiver that is given none. */
async function keyIn(dir: string): Promise<string> {
  const receiver = await startReceiver({ dir, port: 0 });
  await receiver.close();
  return receiver.key;
}

test("a key is made once, and is the same after a restart", async () => {
  const dir = await tempDir();
  const key = await keyIn(dir);
  expect(key).toMatch(/^[\w-]{32}$/);
  expect(await keyIn(dir)).toBe(key);
  expect(await readFile(join(dir, "key"), "utf8")).toBe(`${key}\n`);
});

test("two folders have different keys", async () => {
  expect(await keyIn(await tempDir())).not.toBe(await keyIn(await tempDir()));
});

test("a key that the user put there is used, with or without a newline", async () => {
  const dir = await tempDir();
  await keyIn(dir);
  for (const text of ["my-key", "my-key\n", "my-key\r\n"]) {
    await writeFile(join(dir, "key"), text);
    expect(await keyIn(dir)).toBe("my-key");
  }
});

test("what a killed process left of a key is removed", async () => {
  const dir = await tempDir();
  const key = await keyIn(dir);
  await writeFile(join(dir, ".influxion-key.3f2c9e1a-0b4d-4c7e-9a55-1d2e3f4a5b6c.tmp"), "half a k");
  expect(await keyIn(dir)).toBe(key);
  expect(await readdir(dir)).not.toContainEqual(expect.stringMatching(/\.tmp$/));
});

test("a key that is given is neither kept nor replaced by the one that is", async () => {
  const dir = await tempDir();
  const receiver = await receiverIn(dir, { key: "given" });
  await receiver.close();
  await expect(stat(join(dir, "key"))).rejects.toMatchObject({ code: "ENOENT" });
  const kept = await keyIn(dir);
  await (await receiverIn(dir, { key: "given" })).close();
  expect(await keyIn(dir)).toBe(kept);
});

// Windows has neither.
const posix = process.platform !== "win32";

test.runIf(posix)("only the owner can read the key, also when others could before", async () => {
  const dir = await tempDir();
  const mode = async () => (await stat(join(dir, "key"))).mode & 0o777;
  const key = await keyIn(dir);
  expect(await mode()).toBe(0o600);
  await chmod(join(dir, "key"), 0o644);
  expect(await keyIn(dir)).toBe(key);
  expect(await mode()).toBe(0o600);
});

const unusable: [name: string, put: (path: string) => Promise<unknown>][] = [
  ["empty", (path) => writeFile(path, "")],
  ["of several lines", (path) => writeFile(path, "one\ntwo\n")],
  ["of other characters", (path) => writeFile(path, "schlüssel")],
  ["as large as no key", (path) => writeFile(path, "x".repeat(1_000_000))],
  ["a folder", (path) => mkdir(path)],
];
if (posix) {
  unusable.push(
    ["a FIFO", async (path) => execFileSync("mkfifo", [path])],
    ["a link", async (path) => symlink(path.replace(/key$/, "index.sqlite"), path)],
  );
}

test.for(unusable)("P65: a key file that is %s is named, with what to do", async ([, put]) => {
  const dir = await tempDir();
  await (await receiverIn(dir)).close();
  const path = join(dir, "key");
  await put(path);
  await expect(startReceiver({ dir, port: 0 })).rejects.toMatchObject({
    code: "RECEIVER_KEY_UNUSABLE",
    message: expect.stringMatching(
      /key cannot hold the receiver's key \((it is not .+)\); delete it, and a new one is made, or set INFLUXION_RECEIVER_KEY$/,
    ),
  });
  // The folder is free again, and a key that is given does not need the file.
  await receiverIn(dir);
});
