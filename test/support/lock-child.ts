/**
 * A child program around the lock: `lock-child.ts <what> <stateDir>`. It says JSON, a line at a time.
 * - `hold`: takes the lock and keeps it until it is killed
 * - `hold-with-child`: the same, and starts a process of its own that outlives it
 * - `ask`: says who has it, and what comes of taking it
 * - `probe`: asks who has it, over and over, until it is killed
 * - `contend`: takes it and gives it back, 20 times; ends with 1 when it was not alone
 */
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { built } from "./built.ts";

const { isFileLocked } =
  await built<typeof import("../../src/shared/file-lock.ts")>("shared/file-lock");
const { lockOwner, takeLock } =
  await built<typeof import("../../src/ledger/lock.ts")>("ledger/lock");
const [what = "", stateDir = ""] = process.argv.slice(2);
const say = (said: unknown): unknown => process.stdout.write(`${JSON.stringify(said)}\n`);
const take = (waitMs: number) =>
  takeLock({ stateDir, role: "command", waitMs, signal: new AbortController().signal });

switch (what) {
  case "hold":
  case "hold-with-child": {
    const lock = await take(0);
    const child =
      what === "hold" ? null : spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
    say({ child: child?.pid });
    setInterval(() => lock.assertHeld(), 100);
    break;
  }
  case "ask": {
    const owner = await lockOwner(stateDir);
    const taken = await take(0).then(
      (lock) => lock[Symbol.asyncDispose]().then(() => null),
      (error) => ({ code: error.code, message: error.message }),
    );
    say({ owner, taken });
    break;
  }
  case "probe": {
    say("probing");
    for (;;) await isFileLocked(join(stateDir, "influxion", "uploads.lock.sqlite"));
  }
  case "contend": {
    const alone = join(stateDir, "alone");
    for (let round = 0; round < 20; round++) {
      const lock = await take(60_000);
      // Fails when somebody else is in here.
      writeFileSync(alone, String(process.pid), { flag: "wx" });
      await new Promise((done) => setTimeout(done, 2));
      rmSync(alone);
      await lock[Symbol.asyncDispose]();
    }
    break;
  }
  default:
    throw new Error(`no such thing to do: ${what}`);
}
