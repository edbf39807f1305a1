/** `npm run soak:fleet -- --kills 300 --seed 7`, with `--gateways` and `--receivers`. Needs `npm run build` first. */
import { parseArgs } from "node:util";
import { fleetSoak, KILLS_PER_PRIMARY } from "./fleet.ts";

/** A line of progress after so many kills. */
const KILLS_PER_LINE = 20;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "300" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    gateways: { type: "string", default: "200" },
    receivers: { type: "string", default: "3" },
  },
});
const kills = Number(values.kills);
const seed = Number(values.seed);
const begun = performance.now();
const minutes = (): string => ((performance.now() - begun) / 60_000).toFixed(1);
const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
process.stderr.write(
  `fleet seed ${seed}: ${kills} kills, of ${KILLS_PER_PRIMARY} one of the primary and the others of receivers\n`,
);
const { violations, counts } = await fleetSoak({
  kills,
  seed,
  gateways: Number(values.gateways),
  receivers: Number(values.receivers),
  onKill: ({ kills: n, confirmed, disk }) => {
    if (n % KILLS_PER_LINE !== 0) return;
    const used = `memory ${mebibytes(process.memoryUsage.rss())}, disk ${mebibytes(disk())}`;
    const done = `${n} kills in ${minutes()} min, ${confirmed} parts`;
    process.stderr.write(`fleet seed ${seed}: ${done}, ${used}\n`);
  },
});
const told = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
const verdict = violations.length === 0 ? "conserved" : `${violations.length} VIOLATIONS`;
process.stdout.write(
  `fleet seed ${seed}: ${verdict} in ${minutes()} min, memory ${mebibytes(process.memoryUsage.rss())}; ${told.join(", ")}\n`,
);
for (const violation of violations.slice(0, 40)) process.stderr.write(`  ${violation}\n`);
process.exit(violations.length === 0 ? 0 : 1);
