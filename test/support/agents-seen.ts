// usage: node agents-seen.ts <state directory> <config of filters as JSON>
// Prints what `status` has of each agent.

import { built } from "./built.ts";

const { readState } = await built<typeof import("../../src/run/state.ts")>("run/state");
const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");

const [stateDir = "", filter = "{}"] = process.argv.slice(2);
const result = readConfig({
  apiKey: "key",
  deploymentId: "d",
  projectId: "p",
  filter: JSON.parse(filter),
});
if (!result.ok) throw new Error("the config is wrong");
const { agents } = await readState(stateDir, result.config, Date.now);
process.stdout.write(
  JSON.stringify(agents.map(({ names, excludedBy, counts }) => ({ names, excludedBy, counts }))),
);
