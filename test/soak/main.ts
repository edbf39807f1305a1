/** `npm run soak -- --kills 1000 --seed 7`; `--outcomes` also tells how the runs ended. */
import { parseArgs } from "node:util";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    outcomes: { type: "boolean", default: false },
    kills: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const kills = Number(values.kills);
const seed = Number(values.seed);
const begun = performance.now();
const { violations, counts, outcomes, kept } = await soak({
  kills,
  seed,
  onKill: (progress) => {
    if (progress.kills % 100 !== 0) return;
    const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
    const seen = `${progress.requests} requests, ${progress.repeats} repeats`;
    process.stderr.write(`soak seed ${seed}: ${progress.kills} kills in ${minutes} min, ${seen}\n`);
  },
});
const told = Object.entries({ kills, ...counts }).map(([name, count]) => `${name} ${count}`);
const verdict = violations.length === 0 ? "conserved" : `${violations.length} VIOLATIONS`;
process.stdout.write(`soak seed ${seed}: ${verdict}; ${told.join(", ")}\n`);
for (const violation of violations.slice(0, 40)) process.stderr.write(`  ${violation}\n`);
if (kept !== undefined) process.stderr.write(`  state and logs are in ${kept}\n`);
if (values.outcomes) process.stderr.write(`${JSON.stringify(outcomes, null, 2)}\n`);
// A connection that a fault left hanging must not keep the process.
process.exit(violations.length === 0 ? 0 : 1);
