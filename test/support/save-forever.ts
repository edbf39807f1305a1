// A child program: saves a ledger over and over until it is killed.
import { Ledger, recordOf } from "../../src/ledger/ledger.ts";

const stateDir = process.argv[2] ?? "";
const ledger = await Ledger.open({ stateDir, now: Date.now });
const target = ledger.target({ apiUrl: "https://127.0.0.1", deploymentId: "d", projectId: "p" });
for (let round = 0; ; round++) {
  for (let n = 0; n < 500; n++) recordOf(target, `main/session-${n}`).servedAt = round;
  ledger.changed();
  await ledger.save();
  if (round === 0) process.stdout.write("saving\n");
}
