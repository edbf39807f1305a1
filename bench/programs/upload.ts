/** One run in a process of its own: its time, its CPU and its memory. */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { programInput, programResult } from "../lib/child.ts";
import { prepareRun, type UploadInput } from "../lib/upload.ts";

export interface UploadResult {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** CPU of the main thread, which in a Gateway serves everybody else. */
  readonly mainMs: number;
  /** After everything that a Gateway loads before the first run, in bytes. */
  readonly rssIdle: number;
  /** After a run's code has been loaded, and the warm-up. */
  readonly rssLoaded: number;
  readonly rssPeak: number;
  readonly sourceBytes: number;
  readonly wireBytes: number;
  readonly parts: number;
}

async function settledRss(): Promise<number> {
  globalThis.gc?.();
  await sleep(50);
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** The kernel's own high-water mark is exact, where sampling would miss peaks; elsewhere it counts from the start. */
function resetPeak(): void {
  if (process.platform === "linux") writeFileSync("/proc/self/clear_refs", "5");
}

function peak(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1]) * 1024;
}

function millis({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

const rssIdle = await settledRss();
const run = await prepareRun(programInput<UploadInput>());
const rssLoaded = await settledRss();
resetPeak();
const cpu = process.cpuUsage();
const main = process.threadCpuUsage();
const start = performance.now();
const { sent } = await run();
const wallMs = performance.now() - start;
const cpuMs = millis(process.cpuUsage(cpu));
const mainMs = millis(process.threadCpuUsage(main));
programResult({
  wallMs,
  cpuMs,
  mainMs,
  rssIdle,
  rssLoaded,
  rssPeak: peak(),
  sourceBytes: sent.sourceBytes,
  wireBytes: sent.wireBytes,
  parts: sent.parts,
} satisfies UploadResult);
