import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeOwner, type Lock, lockOwner, takeLock } from "../../src/ledger/lock.ts";
import { isFileLocked } from "../../src/shared/file-lock.ts";
import { Lab } from "../support/lab.ts";

const CHILD = join(import.meta.dirname, "..", "support", "lock-child.ts");

/** What only root on Linux can do: namespaces and mounts of its own. */
const isLinuxRoot = process.platform === "linux" && process.getuid?.() === 0;

/** A process tree whose pids nobody outside can see, and which sees none of ours. */
const OWN_PIDS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

function tempState(): string {
  const dir = mkdtempSync(join(tmpdir(), "influxion-lock-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const lockFile = (stateDir: string): string => join(stateDir, "influxion", "uploads.lock.sqlite");
const ownerFile = (stateDir: string): string => join(stateDir, "influxion", "uploads.owner.json");

function take(stateDir: string, waitMs = 0): Promise<Lock> {
  const { signal } = new AbortController();
  return takeLock({ stateDir, role: "gateway", waitMs, signal });
}

/** A lock child that has said its first line. It is killed with the test. */
async function child(
  what: string,
  stateDir: string,
  wrap: readonly string[] = [],
): Promise<{ process: ChildProcess; said: { child?: number } }> {
  const [command = "", ...args] = [...wrap, process.execPath, CHILD, what, stateDir];
  const started = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    started.kill("SIGKILL");
  });
  const [line] = await once(createInterface(started.stdout), "line");
  return { process: started, said: JSON.parse(String(line)) };
}

/** What a process finds that asks for the lock and tries to take it. */
async function ask(stateDir: string, wrap: readonly string[] = []): Promise<unknown> {
  return (await child("ask", stateDir, wrap)).said;
}

async function killed({ process }: { process: ChildProcess }): Promise<void> {
  const ended = once(process, "exit");
  process.kill("SIGKILL");
  await ended;
}

const FREE = { owner: null, taken: null };

test("P9: a live owner of the lock is respected and named", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await using _held = await take(lab.stateDir);
  const named = `the Gateway (pid ${process.pid}) has been uploading since`;
  await expect(lab.run()).rejects.toMatchObject({
    code: "LOCKED",
    message: expect.stringContaining(named),
  });
  expect((await lab.status()).out).toContain(named);
  expect(lab.receiver.stats().parts).toBe(0);
});

test("P9: another process that has the lock is named, and it is free at once when that is killed", async () => {
  const stateDir = tempState();
  const holder = await child("hold", stateDir);
  await expect(take(stateDir)).rejects.toThrow(`another command (pid ${holder.process.pid})`);
  await killed(holder);
  expect(existsSync(ownerFile(stateDir))).toBe(true);
  expect(await lockOwner(stateDir)).toBeNull();
  await using _lock = await take(stateDir);
});

test("P9: of many processes one at a time has the lock, and each gets its turn", async () => {
  const stateDir = tempState();
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [CHILD, "contend", stateDir], { stdio: "inherit" }),
  );
  const ends = await Promise.all(children.map((one) => once(one, "exit")));
  expect(ends).toEqual(children.map(() => [0, null]));
}, 60_000);

test("P9: whoever asks who has the lock keeps nobody from taking it", async () => {
  const stateDir = tempState();
  await using _first = await take(stateDir);
  await _first[Symbol.asyncDispose]();
  await Promise.all([child("probe", stateDir), child("probe", stateDir)]);
  for (let n = 0; n < 200; n++) {
    await using _lock = await take(stateDir);
  }
});

test("P9: a waiting command hears once whom it waits for, and takes the lock when it is free", async () => {
  const stateDir = tempState();
  const held = await take(stateDir);
  const onWait = vi.fn(() => void held[Symbol.asyncDispose]());
  const { signal } = new AbortController();
  await using lock = await takeLock({ stateDir, role: "command", waitMs: 60_000, signal, onWait });
  expect(onWait.mock.calls).toEqual([
    [expect.objectContaining({ role: "gateway", pid: process.pid })],
  ]);
  expect(await lockOwner(stateDir)).toMatchObject({ role: "command", pid: process.pid });
  await lock.assertHeld();
});

test("P51: waiting for the lock ends with the signal, with its reason", async () => {
  const stateDir = tempState();
  await using _held = await take(stateDir);
  const abort = new AbortController();
  const waiting = takeLock({
    stateDir,
    role: "command",
    waitMs: 60_000,
    signal: abort.signal,
    onWait: () => abort.abort(new Error("stopped")),
  });
  await expect(waiting).rejects.toThrow("stopped");
});

test("P9: an owner that has not said who it is, or cannot, is another process", async () => {
  const stateDir = tempState();
  await using _held = await take(stateDir);
  for (const text of [null, "", '{"pid":', '{"pid":"x"}']) {
    if (text === null) rmSync(ownerFile(stateDir));
    else writeFileSync(ownerFile(stateDir), text);
    const owner = await lockOwner(stateDir);
    expect(owner).toEqual({ pid: null, host: null, role: "unknown", since: null });
    expect(owner && describeOwner(owner)).toBe("another process is uploading");
  }
  await expect(take(stateDir)).rejects.toMatchObject({ code: "LOCKED" });
});

test("P9: asking makes nothing, and the lock leaves nothing but an empty private file", async () => {
  const stateDir = tempState();
  expect(await lockOwner(stateDir)).toBeNull();
  expect(readdirSync(stateDir)).toEqual([]);
  const lock = await take(stateDir);
  const folder = join(stateDir, "influxion");
  expect(readdirSync(folder)).toEqual(["uploads.lock.sqlite", "uploads.owner.json"]);
  expect(JSON.parse(readFileSync(ownerFile(stateDir), "utf8"))).toEqual({
    pid: process.pid,
    host: expect.any(String),
    role: "gateway",
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  if (process.platform !== "win32") {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const path of [lockFile(stateDir), ownerFile(stateDir)]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  }
  await lock[Symbol.asyncDispose]();
  expect(await lockOwner(stateDir)).toBeNull();
  expect(readdirSync(folder)).toEqual(["uploads.lock.sqlite"]);
  expect(statSync(lockFile(stateDir)).size).toBe(0);
});

test("P9: what version 2.0.0 left of its lock is removed, and means nothing", async () => {
  const stateDir = tempState();
  const earlier = join(stateDir, "influxion", "uploads.lock");
  mkdirSync(`${earlier}.reclaim`, { recursive: true });
  const owner = { pid: process.pid, host: "h", born: "", role: "gateway", since: "2026" };
  writeFileSync(earlier, JSON.stringify(owner));
  expect(await lockOwner(stateDir)).toBeNull();
  await using _lock = await take(stateDir);
  expect(existsSync(earlier)).toBe(false);
  expect(existsSync(`${earlier}.reclaim`)).toBe(false);
});

test("P66: an owner that sleeps has the lock, however long", async () => {
  const stateDir = tempState();
  const holder = await child("hold", stateDir);
  holder.process.kill("SIGSTOP");
  for (const path of [lockFile(stateDir), ownerFile(stateDir)]) utimesSync(path, 0, 0);
  expect(await ask(stateDir)).toMatchObject({
    owner: { pid: holder.process.pid, role: "command" },
    taken: { code: "LOCKED" },
  });
  await killed(holder);
  expect(await ask(stateDir)).toEqual(FREE);
});

test.skipIf(!isLinuxRoot)(
  "P66: owner and command do not see each other's processes (Linux as root: needs a pid namespace)",
  async () => {
    const stateDir = tempState();
    const holder = await child("hold", stateDir, OWN_PIDS);
    for (const elsewhere of [OWN_PIDS, []]) {
      expect(await ask(stateDir, elsewhere)).toMatchObject({
        owner: { role: "command" },
        taken: { code: "LOCKED" },
      });
    }
    await killed(holder);
    await vi.waitFor(async () => expect(await ask(stateDir, OWN_PIDS)).toEqual(FREE), 10_000);
  },
);

test.skipIf(process.platform === "win32")(
  "P66: a process that the owner started does not have its lock (POSIX: started by sleep(1))",
  async () => {
    const stateDir = tempState();
    const holder = await child("hold-with-child", stateDir);
    const heir = holder.said.child ?? 0;
    onTestFinished(() => {
      process.kill(heir, "SIGKILL");
    });
    await killed(holder);
    process.kill(heir, 0);
    expect(await ask(stateDir)).toEqual(FREE);
  },
);

test("P66: a copy of a state directory, taken while somebody uploads, is free", async () => {
  const [stateDir, copy] = [tempState(), tempState()];
  await child("hold", stateDir);
  cpSync(stateDir, copy, { recursive: true, preserveTimestamps: true });
  expect(await ask(copy)).toEqual(FREE);
  expect(await ask(stateDir)).toMatchObject({ taken: { code: "LOCKED" } });
});

const replaceByFolder = (path: string): void => {
  rmSync(path);
  mkdirSync(path);
};

for (const [how, spoil] of [
  ["deleted", (path: string) => rmSync(path)],
  ["moved away", (path: string) => renameSync(path, `${path}.away`)],
  ["replaced by a folder", replaceByFolder],
] as const) {
  test(`P66: an owner whose lock file is ${how} may write nothing more`, async () => {
    const stateDir = tempState();
    await using lock = await take(stateDir);
    await lock.assertHeld();
    spoil(lockFile(stateDir));
    await expect(lock.assertHeld()).rejects.toMatchObject({
      code: "LOCK_LOST",
      message: expect.stringContaining("nothing is lost, the next run goes on"),
    });
  });
}

test("P66: an owner whose lock file was replaced leaves the next owner its name", async () => {
  const stateDir = tempState();
  const lost = await take(stateDir);
  rmSync(lockFile(stateDir));
  const next = await child("hold", stateDir);
  await expect(lost.assertHeld()).rejects.toMatchObject({ code: "LOCK_LOST" });
  await lost[Symbol.asyncDispose]();
  expect(await ask(stateDir)).toMatchObject({
    owner: { pid: next.process.pid },
    taken: { code: "LOCKED" },
  });
});

test.for([
  ["before it is opened", ["open"]],
  ["between being opened and locked", ["lock"]],
  ["before it is opened and before it is locked", ["open", "lock"]],
] as const)(
  "P66: a lock file that is replaced %s is not taken for the one in its place",
  async ([, moments]) => {
    const stateDir = tempState();
    const path = lockFile(stateDir);
    await (await take(stateDir))[Symbol.asyncDispose]();
    let left = 4;
    const replace = (moment: "open" | "lock"): void => {
      if (!moments.some((one) => one === moment) || left-- <= 0) return;
      // Many file systems give the number of a deleted file to the next: here that of the first to the third.
      if (moment === "lock") rmSync(path);
      writeFileSync(`${path}.new`, "");
      renameSync(`${path}.new`, path);
    };
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    class Replaced extends DatabaseSync {
      constructor(...args: ConstructorParameters<typeof DatabaseSync>) {
        replace("open");
        super(...args);
      }
      override exec(sql: string): void {
        replace("lock");
        super.exec(sql);
      }
    }
    const builtin = vi
      .spyOn(process, "getBuiltinModule")
      .mockReturnValue({ DatabaseSync: Replaced } as never);
    const lock = await take(stateDir).finally(() => builtin.mockRestore());
    expect(left).toBeLessThanOrEqual(0);
    await lock.assertHeld();
    expect(await ask(stateDir)).toMatchObject({ taken: { code: "LOCKED" } });
    await lock[Symbol.asyncDispose]();
  },
);

test("P9: a lock file with something in it is named and left as it is", async () => {
  const stateDir = tempState();
  mkdirSync(join(stateDir, "influxion"));
  writeFileSync(lockFile(stateDir), "garbage ".repeat(1000));
  expect(await lockOwner(stateDir)).toBeNull();
  await expect(take(stateDir)).rejects.toMatchObject({
    code: "LEDGER_UNWRITABLE",
    message: `the lock that keeps two uploads apart cannot be made: ${lockFile(stateDir)} is not empty, and nothing belongs into it; delete it while nothing uses it`,
  });
  expect(statSync(lockFile(stateDir)).size).toBe(8000);
});

/** Ways to put something else where a file of ours is expected. */
const OBSTACLES: Record<string, (path: string) => unknown> = {
  "a FIFO": (path) => execFileSync("mkfifo", [path]),
  "a folder": (path) => mkdirSync(path),
  "a symlink": (path) => symlinkSync("/dev/zero", path),
};

test.skipIf(process.platform === "win32").for(Object.entries(OBSTACLES))(
  "P65: %s in the lock's place is neither opened nor waited for, and is named (POSIX: mkfifo(1))",
  async ([what, put]) => {
    const stateDir = tempState();
    mkdirSync(join(stateDir, "influxion"));
    put(lockFile(stateDir));
    expect(await lockOwner(stateDir)).toBeNull();
    expect(await isFileLocked(lockFile(stateDir))).toBe(false);
    await expect(take(stateDir)).rejects.toMatchObject({
      code: "LEDGER_UNWRITABLE",
      message: expect.stringContaining(`is ${what}, and only a regular file is read; move it away`),
    });
  },
);

/** What lies, or lay, beside the lock file, and what SQLite would put there. */
const NEIGHBOURS = [
  "owner.json",
  "owner.json.tmp",
  "lock",
  "lock.sqlite-journal",
  "lock.sqlite-wal",
] as const;

test
  .skipIf(process.platform === "win32")
  .for(
    NEIGHBOURS.flatMap((name) =>
      Object.entries(OBSTACLES).map(([what, put]) => [what, name, put] as const),
    ),
  )(
  "P65: %s at influxion/uploads.%s is neither opened nor waited for (POSIX: mkfifo(1))",
  async ([what, name, put]) => {
    const stateDir = tempState();
    mkdirSync(join(stateDir, "influxion"));
    put(join(stateDir, "influxion", `uploads.${name}`));
    expect(await lockOwner(stateDir)).toBeNull();
    if (name.endsWith("-wal") && what === "a folder") {
      // The one thing that SQLite cannot put out of its way.
      await expect(take(stateDir)).rejects.toThrow("remove what begins with its name");
      return;
    }
    await using lock = await take(stateDir);
    await lock.assertHeld();
    expect(await lockOwner(stateDir)).not.toBeNull();
  },
);

test("P9: a journal that something left beside the lock is not played back", async () => {
  const stateDir = tempState();
  await (await take(stateDir))[Symbol.asyncDispose]();
  const magic = Buffer.from("d9d505f920a163d7", "hex");
  writeFileSync(
    `${lockFile(stateDir)}-journal`,
    Buffer.concat([magic, Buffer.alloc(5000, "\u0001")]),
  );
  await using _lock = await take(stateDir);
  expect(statSync(lockFile(stateDir)).size).toBe(0);
  expect(await ask(stateDir)).toMatchObject({ taken: { code: "LOCKED" } });
});

/** What `ask` says on a file system of its own, which `prepare` makes at `$1`. */
function askMounted(stateDir: string, prepare: string): unknown {
  const script = `${prepare}\nexec "$2" "$3" ask "$1"`;
  const { stdout, stderr } = spawnSync(
    "unshare",
    ["--mount", "sh", "-ec", script, "sh", stateDir, process.execPath, CHILD],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

test.skipIf(!isLinuxRoot)(
  "P8: a lock in a read-only folder is refused, with what to do (Linux as root: needs a mount)",
  async () => {
    const stateDir = tempState();
    await (await take(stateDir))[Symbol.asyncDispose]();
    const readOnly = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"';
    for (const prepare of [`rm "$1"/influxion/*; ${readOnly}`, readOnly]) {
      expect(askMounted(stateDir, prepare)).toMatchObject({
        owner: null,
        taken: {
          code: "LEDGER_UNWRITABLE",
          message: `the lock that keeps two uploads apart cannot be made (EROFS); give the user that runs OpenClaw write access: ${lockFile(stateDir)}`,
        },
      });
    }
  },
);

test.skipIf(!isLinuxRoot)(
  "P8: the lock needs no space on a full disk (Linux as root: needs a mount)",
  () => {
    const stateDir = tempState();
    const full =
      'mount -t tmpfs -o size=64k tmpfs "$1"; mkdir "$1"/influxion; dd if=/dev/zero of="$1"/full bs=4k status=none 2>/dev/null || true';
    expect(askMounted(stateDir, full)).toEqual(FREE);
  },
);

test.skipIf(process.platform === "win32")(
  "P8, P9: a lock file that this user may only read is no lock, with what to do",
  async () => {
    const stateDir = tempState();
    mkdirSync(join(stateDir, "influxion"));
    writeFileSync(lockFile(stateDir), "");
    chmodSync(lockFile(stateDir), 0o444);
    const nobody = 65_534;
    // Root may write everything; its file is another user's for everybody else.
    const wrap = isLinuxRoot
      ? ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"]
      : [];
    if (isLinuxRoot) {
      for (const dir of [stateDir, join(stateDir, "influxion")]) chownSync(dir, nobody, nobody);
    }
    expect(await ask(stateDir, wrap)).toEqual({
      owner: null,
      taken: {
        code: "LEDGER_UNWRITABLE",
        message: `the lock that keeps two uploads apart cannot be made (EACCES); give the user that runs OpenClaw write access: ${lockFile(stateDir)}`,
      },
    });
  },
);

test("P8: a lock that cannot be made because something is in the way says so", async () => {
  const stateDir = tempState();
  writeFileSync(join(stateDir, "influxion"), "");
  await expect(take(stateDir)).rejects.toThrow(
    `the lock that keeps two uploads apart cannot be made: ${join(stateDir, "influxion")} is no folder; move it away`,
  );
});
