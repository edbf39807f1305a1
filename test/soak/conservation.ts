import type { Generations } from "./held.ts";
import type { History } from "./history.ts";

/** What is wrong between what a session was and what is held of it; empty when nothing is. */
export function compare(
  session: string,
  history: History,
  generations: Generations,
  onDisk: readonly (readonly string[])[],
): string[] {
  return [
    ...checkDisk(session, history, onDisk),
    ...checkNothingInvented(session, history, generations),
    ...checkNothingTwice(session, history, generations),
    ...checkNothingLost(session, history, generations),
  ];
}

/** The harness itself remembers what is on disk. */
function checkDisk(
  session: string,
  history: History,
  onDisk: readonly (readonly string[])[],
): string[] {
  const remembered = history.versions.filter(({ alive }) => alive).map(({ lines }) => lines);
  const same = JSON.stringify(full(remembered)) === JSON.stringify(full(onDisk));
  return same ? [] : [`${session}: the harness has lost count of what is on disk`];
}

/** Everything that is held was there at one time, from the first line on and in this order. */
function checkNothingInvented(
  session: string,
  { versions }: History,
  generations: Generations,
): string[] {
  return generations.flatMap((held, number) => {
    if (versions.some(({ lines }) => isPrefix(held, lines))) return [];
    const written = new Set(versions.flatMap(({ lines }) => lines));
    const never = held.filter((line) => !written.has(line)).length;
    return [`${session}: generation ${number} never was like this (${never} lines never written)`];
  });
}

function checkNothingTwice(
  session: string,
  { versions, slack }: History,
  generations: Generations,
): string[] {
  const most = full(versions.map(({ lines }) => lines)).length + slack;
  if (generations.length <= most) return [];
  return [`${session}: ${generations.length} generations are held, but it had ${most} beginnings`];
}

/** What is on disk is held, in the order in which it was written; what was written last is the newest. */
function checkNothingLost(
  session: string,
  { versions, isShuffled }: History,
  generations: Generations,
): string[] {
  const problems: string[] = [];
  let before = generations.length;
  const written = versions.filter(({ lines }) => lines.length > 0);
  for (const version of written.toReversed()) {
    if (!version.alive) continue;
    const { lines } = version;
    const older = generations.slice(0, before);
    const found = older.findLastIndex((held) => isEqual(held, lines));
    if (found === -1) {
      const most = Math.max(0, ...older.map((held) => common(held, lines)));
      problems.push(`${session}: ${lines.length} lines are on disk, but only ${most} are held`);
    } else if (version === written.at(-1) && found !== generations.length - 1) {
      problems.push(`${session}: the newest generation is not what is on disk`);
    } else if (!isShuffled) {
      before = found;
    }
  }
  return problems;
}

const full = (lists: readonly (readonly string[])[]): readonly (readonly string[])[] =>
  lists.filter(({ length }) => length > 0);

const common = (a: readonly string[], b: readonly string[]): number => {
  const differs = a.findIndex((line, index) => line !== b[index]);
  return differs === -1 ? Math.min(a.length, b.length) : differs;
};

const isPrefix = (a: readonly string[], b: readonly string[]): boolean =>
  a.length <= b.length && common(a, b) === a.length;

const isEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && isPrefix(a, b);
