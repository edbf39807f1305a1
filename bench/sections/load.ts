import type { Bench } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, medianOf } from "../lib/figures.ts";
import type { LoadResult } from "../programs/load.ts";

/** Goal 7: the plugin is loaded by every Gateway and every command of the host. */
export async function load(bench: Bench): Promise<Figure[]> {
  const section = "Loading the plugin";
  const { results: runs, rounds } = await bench.measure("load", 7, () =>
    runProgram<LoadResult>("load", null),
  );
  const modules = new Set(runs.flatMap((run) => run.modules));
  bench.say(`modules loaded with the plugin: ${[...modules].join(", ")}`);
  return figuresOf(rounds, [
    {
      section,
      what: "register()",
      value: medianOf(runs, (run) => run.registerMs),
      unit: "ms",
      goal: 5,
    },
    { section, what: "importing it", value: medianOf(runs, (run) => run.importMs), unit: "ms" },
    // One is the plugin's own entry.
    {
      section,
      what: "modules it loads besides itself",
      value: modules.size - 1,
      unit: "",
      goal: 0,
    },
    {
      section,
      what: "importing what a run needs in the Gateway's own thread",
      value: medianOf(runs, (run) => run.run.importMs),
      unit: "ms",
    },
    {
      section,
      what: "... memory",
      value: medianOf(runs, (run) => run.run.bytes / 1024 / 1024),
      unit: "MiB",
    },
    {
      section,
      what: "... modules",
      value: medianOf(runs, (run) => run.run.modules),
      unit: "",
    },
  ]);
}
