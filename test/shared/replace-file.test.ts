import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { noteRun, readLastRun } from "../../src/run/last-run.ts";
import { renameOver } from "../../src/shared/replace-file.ts";

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "influxion-replace-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A file that is in use for so many attempts at replacing it, as Windows has it. */
function inUse(platform: string, attempts: number, code: string) {
  const [from, to] = [join(tempDir(), "from"), join(tempDir(), "to")];
  writeFileSync(from, "new");
  writeFileSync(to, "old");
  let asked = 0;
  const system = {
    platform,
    rename(...paths: [string, string]): Promise<void> {
      if (++asked > attempts) return rename(...paths);
      return Promise.reject(Object.assign(new Error("in use"), { code }));
    },
  };
  return {
    renamed: renameOver(from, to, system as Parameters<typeof renameOver>[2]),
    text: () => readFileSync(to, "utf8"),
    asked: () => asked,
  };
}

test.for(["EPERM", "EACCES", "EBUSY"])(
  "P4: a file that somebody has open for a moment on Windows (%s) is replaced after it",
  async (code) => {
    const { renamed, text, asked } = inUse("win32", 4, code);
    await renamed;
    expect(text()).toBe("new");
    expect(asked()).toBe(5);
  },
);

test("P4: a file that stays open on Windows is not waited for longer than a second", async () => {
  const { renamed, text } = inUse("win32", Number.POSITIVE_INFINITY, "EPERM");
  const start = performance.now();
  await expect(renamed).rejects.toMatchObject({ code: "EPERM" });
  expect(performance.now() - start).toBeLessThan(2000);
  expect(text()).toBe("old");
});

test.for([
  ["linux", "EPERM"],
  ["darwin", "EACCES"],
  ["win32", "ENOSPC"],
] as const)("P4: on %s, %s is told at once", async ([platform, code]) => {
  const { renamed, asked } = inUse(platform, 1, code);
  await expect(renamed).rejects.toMatchObject({ code });
  expect(asked()).toBe(1);
});

test("P5: what killed processes left of the note about the last run is removed, and nothing else", async () => {
  const stateDir = tempDir();
  const folder = join(stateDir, "influxion");
  mkdirSync(folder);
  const leave = (name: string, secondsAgo: number): string => {
    writeFileSync(join(folder, name), "{");
    const then = Date.now() / 1000 - secondsAgo;
    utimesSync(join(folder, name), then, then);
    return name;
  };
  leave(".influxion-last-run.6d2f.tmp", 3600);
  // The clock was set back since.
  leave(".influxion-last-run.9a01.tmp", -3600);
  const kept = [
    leave(".influxion-last-run.writing-now.tmp", 1),
    leave(".influxion-state.77aa.tmp", 3600),
    leave(".influxion-last-runs.tmp", 3600),
    leave("notes.txt", 3600),
  ];
  const at = new Date().toISOString();
  await noteRun(stateDir, { report: null, failure: "none", at });
  expect(readdirSync(folder).sort()).toEqual([...kept, "last-run.json"].sort());
  expect(await readLastRun(stateDir)).toMatchObject({ failure: "none", at });
});
