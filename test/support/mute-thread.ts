// The program of a thread that never answers; asked for a registry, it fails.
import { parentPort } from "node:worker_threads";

parentPort?.on("message", ({ kind }: { kind: string }) => {
  if (kind === "registry") throw new Error("it broke");
  for (;;);
});
