import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect, onTestFinished } from "vitest";
import { cpuReader, type ReadCpu } from "../../bench/lib/cpu.ts";

const test = base.runIf(process.platform === "linux");

/** Reads a `/proc` of these numbers, in ticks of 10 ms: of the machine, and of process 7. */
function readerOf(machine: string, fields = "0 0 0 0"): ReadCpu | null {
  const proc = mkdtempSync(join(tmpdir(), "influxion-proc-"));
  onTestFinished(() => rmSync(proc, { recursive: true }));
  mkdirSync(join(proc, "7"));
  writeFileSync(join(proc, "stat"), `cpu  ${machine}\ncpu0 1 1 1 1 1 1 1 1 0 0\n`);
  writeFileSync(join(proc, "7", "stat"), `7 (a b) c) S 1 7 7 0 -1 0 0 0 0 0 ${fields} 20 0 1 0\n`);
  return cpuReader([7], proc);
}

test("what the machine takes is programs, kernel and steal, not idling, waiting and interrupts", () => {
  const read = readerOf("1 20 300 5 5 5 5 4000 0 0");
  expect(read?.().machineMs).toBe(43_210);
});

test("what a process takes is its own CPU and that of children it has waited for, whatever its name", () => {
  const read = readerOf("1 0 0 0 0 0 0 0 0 0", "1 20 300 4000");
  expect(read?.().ownMs).toBe(43_210);
});

test("where the kernel counts nothing, what others take cannot be known", () => {
  expect(readerOf("0 0 0 0 0 0 0 0 0 0")).toBeNull();
});

test("a child that has ended counts as this bench's own, not as another program", async () => {
  const read = cpuReader([process.pid]);
  const before = read?.().ownMs ?? 0;
  const script = "while (process.cpuUsage().user < 300_000);";
  await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "exit");
  expect((read?.().ownMs ?? 0) - before).toBeGreaterThanOrEqual(280);
});
