/** Rounds that ran beside other programs are thrown away and made again. */
import type { ReadCpu } from "./cpu.ts";

/** What became of the rounds that were made for a figure. */
export interface RoundCounts {
  readonly made: number;
  /** Those the figure is made of. The others were thrown away. */
  readonly kept: number;
  /** Of those that were kept: ran beside other programs, for want of quiet ones. */
  readonly disturbed: number;
  /** How many cores others took beside the worst of those that were kept. */
  readonly othersCores: number;
}

export function sumOf(counts: readonly RoundCounts[]): RoundCounts {
  const sum = (key: keyof RoundCounts): number => counts.reduce((all, one) => all + one[key], 0);
  return {
    made: sum("made"),
    kept: sum("kept"),
    disturbed: sum("disturbed"),
    othersCores: Math.max(0, ...counts.map((one) => one.othersCores)),
  };
}

/** What was thrown away, or that it did not help; empty when nothing was. */
export function describeRounds({ made, kept, disturbed, othersCores }: RoundCounts): string {
  if (made === kept) return "";
  if (disturbed === 0) {
    return `${made - kept} of ${made} rounds thrown away because other programs ran`;
  }
  const cores = othersCores.toFixed(1);
  return `DISTURBED: ${disturbed} of ${kept} rounds, by up to ${cores} cores; the quietest of ${made}`;
}

export interface Measured<Result> {
  /** Of the rounds that were kept, in the order they were made. */
  readonly results: readonly Result[];
  readonly rounds: RoundCounts;
}

export interface RoundsOptions {
  /** Quiet rounds to make. */
  readonly wanted: number;
  /** Null where nobody knows what others do: then every round is kept. */
  readonly readCpu: ReadCpu | null;
}

/** So many times the wanted rounds are made at most. */
const MAX_TIMES = 2;

/**
 * What others may take of one core beside a round, and some ms besides: the kernel writes our files in its own name,
 * and who ran is found out in ticks of 10 ms. Without other programs it was up to half of this, beside one that
 * never rests four times as much and more.
 */
const ALLOWED = { cores: 0.1, ms: 30 };

/**
 * Makes rounds until there are as many quiet ones as wanted, or twice as many in all. Then the quietest are
 * kept, and the counts say how many of these were disturbed.
 *
 * @param round waits for all processes it starts: what others take is all that cannot be counted as its own
 */
export async function measureRounds<Result>(
  { wanted, readCpu }: RoundsOptions,
  round: () => Promise<Result>,
): Promise<Measured<Result>> {
  const made: Round<Result>[] = [];
  let quiet = 0;
  while (quiet < wanted && made.length < wanted * MAX_TIMES) {
    const one = await judge(readCpu, round);
    made.push(one);
    if (!isDisturbed(one)) quiet++;
  }
  const quietest = new Set(made.toSorted((a, b) => a.noise - b.noise).slice(0, wanted));
  const kept = made.filter((one) => quietest.has(one));
  return {
    results: kept.map(({ result }) => result),
    rounds: {
      made: made.length,
      kept: kept.length,
      disturbed: kept.filter(isDisturbed).length,
      othersCores: Math.max(0, ...kept.map(({ cores }) => cores)),
    },
  };
}

interface Round<Result> {
  readonly result: Result;
  /** How many others took, as far as ticks tell. */
  readonly cores: number;
  /** What others took, by what they may take. */
  readonly noise: number;
}

const isDisturbed = ({ noise }: Round<unknown>): boolean => noise > 1;

async function judge<Result>(
  readCpu: ReadCpu | null,
  round: () => Promise<Result>,
): Promise<Round<Result>> {
  if (readCpu === null) return { result: await round(), cores: 0, noise: 0 };
  const before = readCpu();
  const result = await round();
  const after = readCpu();
  const tookMs = after.at - before.at;
  const othersMs = after.machineMs - before.machineMs - (after.ownMs - before.ownMs);
  return {
    result,
    cores: othersMs / tookMs,
    noise: othersMs / (ALLOWED.cores * tookMs + ALLOWED.ms),
  };
}
