import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRegular, readRegular, regularStats } from "../../src/shared/open-file.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "influxion-open-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("P65: a regular file is opened and read", async () => {
  const path = join(dir, "file");
  writeFileSync(path, "content");
  const { file, stats } = await openRegular(path);
  await file.close();
  expect(stats.size).toBe(7);
  expect((await readRegular(path)).toString()).toBe("content");
  expect((await regularStats(path)).size).toBe(7n);
});

const OTHERS: Readonly<Record<string, (path: string) => unknown>> = {
  "a symlink": (path) => {
    writeFileSync(`${path}.target`, "content");
    symlinkSync(`${path}.target`, path);
  },
  "a folder": (path) => mkdirSync(path),
  "a FIFO": (path) => execFileSync("mkfifo", [path]),
  "a device": (path) => execFileSync("mknod", [path, "c", "1", "5"]),
};

// Making a device takes root, and Windows has none of them.
const isRoot = process.getuid?.() === 0;
for (const [kind, make] of Object.entries(OTHERS)) {
  test.skipIf(process.platform === "win32" || (kind === "a device" && !isRoot))(
    `P65: ${kind} is refused at once, and named`,
    async () => {
      const path = join(dir, "other");
      make(path);
      const refused = { code: "NOT_A_FILE", message: expect.stringContaining(`is ${kind},`) };
      await expect(openRegular(path)).rejects.toMatchObject(refused);
      // Also when it was put there after somebody saw a file.
      const late = openRegular(path, { isListed: true });
      await expect(late).rejects.toMatchObject(kind === "a symlink" ? { code: "ELOOP" } : refused);
      await expect(readRegular(path)).rejects.toMatchObject(refused);
      await expect(regularStats(path)).rejects.toMatchObject(refused);
    },
  );
}

test.skipIf(process.platform === "win32")("P65: a socket is refused, and named", async () => {
  const path = join(dir, "socket");
  const server = createServer();
  await new Promise<void>((done) => server.listen(path, done));
  await expect(openRegular(path)).rejects.toMatchObject({
    message: expect.stringContaining("is a socket,"),
  });
  server.close();
});

test("P65: what is not there keeps its own error", async () => {
  await expect(openRegular(join(dir, "none"))).rejects.toMatchObject({ code: "ENOENT" });
});
