/**
 * Uploads until it is killed: runs in a tight loop, or the registered service with
 * its waits cut short. Takes its {@link ChildOptions} as JSON.
 */
import { flushCompileCache } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { built } from "../support/built.ts";
import { type ChildMessage, type ChildOptions, CLOCK_AHEAD_MS } from "./child-options.ts";
import { Dice } from "./dice.ts";

const options = JSON.parse(process.argv[2] ?? "") as ChildOptions;
const realNow = Date.now;
Date.now = () => realNow() + CLOCK_AHEAD_MS;

const tell = (message: ChildMessage): void => {
  process.send?.(message);
};

process.on("unhandledRejection", (error) => {
  tell({ kind: "crash", error: `unhandled: ${error instanceof Error ? error.stack : error}` });
});
// Whoever started this is gone: so is the reason to go on.
process.on("disconnect", () => process.exit(0));

if (options.mode === "service") await serve();
else await loop(options.mode);

async function loop(trigger: "interval" | "command"): Promise<never> {
  const { run } = await built<typeof import("../../src/run/run.ts")>("run/run");
  const { IdleCache } = await built<typeof import("../../src/run/idle-cache.ts")>("run/idle-cache");
  const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");
  const { InfluxionError } =
    await built<typeof import("../../src/shared/problem.ts")>("shared/problem");
  const result = readConfig(options.config);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const dice = new Dice(options.seed);
  const runs = new IdleCache(run);
  // What a first run loads on its way would otherwise be all that most kills meet.
  const { loadSqlite } = await built<typeof import("../../src/shared/sqlite.ts")>("shared/sqlite");
  loadSqlite();
  await built("upload/client");
  // It would be written at the end of a process that has one.
  flushCompileCache();
  tell({ kind: "ready" });
  for (;;) {
    try {
      const report = await runs.run({
        stateDir: options.stateDir,
        config: result.config,
        apiKey: String(result.config.apiKey),
        trigger,
        ignoreHold: trigger === "command",
        retryBackedOff: trigger === "command",
        lockWaitMs: 0,
        signal: new AbortController().signal,
        now: Date.now,
        random: dice.next,
      });
      tell({ kind: "run", outcome: report.outcome });
    } catch (error) {
      if (error instanceof InfluxionError) tell({ kind: "run", outcome: error.code });
      else tell({ kind: "crash", error: String(error instanceof Error ? error.stack : error) });
    }
    await sleep(dice.int(1, 10));
  }
}

async function serve(): Promise<void> {
  // A second passes in a millisecond: the first run would wait up to half a minute.
  const realTimeout = globalThis.setTimeout;
  const quick = (task: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): NodeJS.Timeout =>
    realTimeout(task, ms >= 1000 ? ms / 1000 : ms, ...args);
  globalThis.setTimeout = Object.assign(quick, realTimeout) as typeof setTimeout;
  type Plugin = typeof import("../../src/index.ts")["default"];
  type Api = Parameters<Plugin["register"]>[0];
  type Service = Parameters<Api["registerService"]>[0];
  const { default: plugin } = await built<{ default: Plugin }>("index");
  const services: Service[] = [];
  const api = {
    pluginConfig: options.config,
    registrationMode: "full",
    registerCli: () => undefined,
    registerService: (service: Service) => services.push(service),
  };
  plugin.register(api as unknown as Api);
  const log = (line: string): void => tell({ kind: "run", outcome: line.slice(0, 60) });
  const context = {
    stateDir: options.stateDir,
    config: {},
    logger: { info: log, warn: log, error: log, debug: log },
  };
  for (const service of services) await service.start(context as Parameters<Service["start"]>[0]);
  tell({ kind: "ready" });
}
