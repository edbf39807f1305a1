import { type ConfigResult, formatConfigProblem, readConfig } from "../../config/config.ts";
import { applyChange, type Change } from "./change.ts";

/** A change, and what the config is with it. */
export interface Mended {
  readonly change: Change;
  readonly result: ConfigResult;
}

/**
 * Removes each option whose value is wrong, so that its default counts, and each name that is none.
 * @param mayRemove asked once for each path, with what is wrong there
 */
export async function mend(
  present: unknown,
  set: Change["set"],
  mayRemove: (path: string, wrong: string) => Promise<boolean>,
): Promise<Mended> {
  const remove: string[] = [];
  const asked = new Set<string>();
  for (;;) {
    const change: Change = { set, remove };
    const result = readConfig(applyChange(present, change));
    // What was given now, or was removed before and is wrong still, is not mended by removing it.
    const next = wrongIn(result).find(
      ({ path }) => path !== "" && !asked.has(path) && !set.has(path),
    );
    if (next === undefined) return { change, result };
    asked.add(next.path);
    if (await mayRemove(next.path, next.wrong)) remove.push(next.path);
  }
}

function wrongIn(result: ConfigResult): { path: string; wrong: string }[] {
  const problems = result.ok ? [] : result.problems;
  return [
    ...problems.map((problem) => ({ path: problem.path, wrong: formatConfigProblem(problem) })),
    ...result.warnings.map(({ path, message }) => ({ path, wrong: message })),
  ];
}
