// A child program: saves a ledger over and over until it is killed.
import { built } from "./built.ts";

const { Ledger } = await built<typeof import("../../src/ledger/ledger.ts")>("ledger/ledger");

const stateDir = process.argv[2] ?? "";
let round = 0;
// The instant of a turn is the round, so that a half-written ledger shows.
const ledger = await Ledger.open({ stateDir, now: () => round });
const target = ledger.target({ apiUrl: "https://127.0.0.1", deploymentId: "d", projectId: "p" });
for (; ; round++) {
  for (let n = 0; n < 500; n++) target.moveToBack(`main/session-${n}`);
  await ledger.save();
  if (round === 0) process.stdout.write("saving\n");
}
