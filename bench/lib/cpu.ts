/** Who uses the machine's processors, as far as Linux tells. */
import { readFileSync } from "node:fs";

/** CPU time since some moment in the past, in ms. */
export interface CpuReading {
  /** When it was taken. */
  readonly at: number;
  /**
   * Of all programs on the machine, and what the hypervisor gave to other machines. Interrupts are left out: most of
   * them are this bench's own traffic, and whether a process is charged for them depends on the kernel.
   */
  readonly machineMs: number;
  /** Of this bench: its processes, and those they have waited for. */
  readonly ownMs: number;
}

export type ReadCpu = () => CpuReading;

/** Linux counts CPU time for programs in hundredths of a second, whatever its own clock does. */
const TICK_MS = 10;

/**
 * What reads the CPU of the machine and of these processes; null where that cannot be known.
 * @param pids processes that live as long as it is used, this one among them
 * @param proc another folder is for tests
 */
export function cpuReader(pids: readonly number[], proc = "/proc"): ReadCpu | null {
  // Some sandboxes have the file and count nothing in it.
  if (process.platform !== "linux" || machineMs(proc) === 0) return null;
  return () => ({
    at: performance.now(),
    machineMs: machineMs(proc),
    ownMs: pids.reduce((sum, pid) => sum + processMs(pid, proc), 0),
  });
}

/** https://man7.org/linux/man-pages/man5/proc_stat.5.html */
function machineMs(proc: string): number {
  const [line = ""] = readFileSync(`${proc}/stat`, "utf8").split("\n", 1);
  const [user = 0, nice = 0, system = 0, _idle, _iowait, _irq, _softirq, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + steal) * TICK_MS;
}

/**
 * CPU of a process and of the children it has waited for, in ms:
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function processMs(pid: number, proc = "/proc"): number {
  const stat = readFileSync(`${proc}/${pid}/stat`, "utf8");
  // A program's name may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}
