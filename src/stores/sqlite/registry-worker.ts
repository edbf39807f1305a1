// The thread of registry-thread.ts: reads the registry once and ends.
import { parentPort, workerData } from "node:worker_threads";
import { readRegistry } from "./registry.ts";

parentPort?.postMessage(await readRegistry(workerData as string));
