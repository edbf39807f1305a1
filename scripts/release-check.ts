/**
 * `npm run release:check`: whether the plugin, packed as it would be published, is what it should be.
 * Exits with 1 when something is wrong with it, and says what.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKS } from "./release/checks.ts";
import { Packed } from "./release/packed.ts";

const folder = await mkdtemp(join(tmpdir(), "influxion-release-"));
try {
  const packed = await Packed.into(folder);
  process.stdout.write(
    `${packed.json.name} ${packed.json.version}, ${packed.files.length} files\n`,
  );
  for (const [promise, check] of Object.entries(CHECKS)) {
    const problems = await check(packed);
    process.stdout.write(`${problems.length === 0 ? "ok    " : "WRONG "} ${promise}\n`);
    for (const problem of problems) process.stdout.write(`       ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
