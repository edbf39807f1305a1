// A child program: takes the lock and keeps it until it is killed.
import { takeLock } from "../../src/ledger/lock.ts";

const signal = new AbortController().signal;
await takeLock({ stateDir: process.argv[2] ?? "", role: "command", waitMs: 0, signal });
process.stdout.write("held\n");
setInterval(() => undefined, 1000);
