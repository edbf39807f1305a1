import { type ConfigProblem, type ConfigResult, readConfig } from "../../config/config.ts";
import { applyChange, type Change } from "./change.ts";

/** A change, and what the config is with it. */
export interface Mended {
  readonly change: Change;
  readonly result: ConfigResult;
}

/**
 * Removes each option whose value is wrong, so that its default counts.
 * @param mayRemove asked once for each of them
 */
export async function mend(
  present: unknown,
  set: Change["set"],
  mayRemove: (problem: ConfigProblem) => Promise<boolean>,
): Promise<Mended> {
  const remove: string[] = [];
  for (;;) {
    const change: Change = { set, remove };
    const result = readConfig(applyChange(present, change));
    if (result.ok) return { change, result };
    // What was given now, or was removed before and is wrong still, is not mended by removing it.
    const next = result.problems.find(
      ({ path }) => path !== "" && !remove.includes(path) && !set.has(path),
    );
    if (next === undefined || !(await mayRemove(next))) return { change, result };
    remove.push(next.path);
  }
}
