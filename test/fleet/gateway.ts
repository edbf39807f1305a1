import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CLOCK_AHEAD_MS } from "../soak/child-options.ts";
import { Dice } from "../soak/dice.ts";
import { EntryMaker } from "../soak/entries.ts";
import { FileHost } from "../soak/file-host.ts";
import type { History } from "../soak/history.ts";
import { built } from "../support/built.ts";
import { API_KEY } from "./receivers.ts";

const { run } = await built<typeof import("../../src/run/run.ts")>("run/run");
const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");

/** Untouched for this long, a session is at rest for the uploader, in ms. */
export const REST_MS = 10_000 - CLOCK_AHEAD_MS;

/** A Gateway without a host: it writes sessions, and uploads them with the plugin's own code. */
export class Gateway {
  readonly deploymentId: string;
  readonly #stateDir: string;
  readonly #url: string;
  readonly #dice: Dice;
  readonly #files: FileHost;

  constructor(dir: string, n: number, seed: number, url: string) {
    this.deploymentId = `gateway-${n}`;
    this.#stateDir = join(dir, this.deploymentId);
    this.#url = url;
    this.#dice = new Dice(seed);
    this.#files = new FileHost({
      stateDir: this.#stateDir,
      dice: this.#dice,
      entries: new EntryMaker(new Dice(seed + 1)),
      patienceMs: REST_MS / 2,
      hugeShare: 0,
      onAction: () => undefined,
    });
  }

  get histories(): ReadonlyMap<string, History> {
    return this.#files.histories;
  }

  onDisk(session: string): string[][] {
    return this.#files.onDisk(session);
  }

  async write(actions: number): Promise<void> {
    for (let n = 0; n < actions; n++) await this.#files.act();
  }

  settle(): void {
    this.#files.settle();
  }

  /** One run; how it ended. */
  async upload(): Promise<string> {
    const result = readConfig({
      apiUrl: this.#url,
      apiKey: API_KEY,
      deploymentId: this.deploymentId,
      projectId: "fleet",
      upload: { retryAttempts: 1, retryBackoffMs: 50, timeoutMs: 5000, maxFilesPerRun: 100 },
      filter: { minMessages: 0, minBytes: 0 },
    });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const report = await run({
      stateDir: this.#stateDir,
      config: result.config,
      apiKey: API_KEY,
      trigger: "command",
      ignoreHold: true,
      retryBackedOff: true,
      lockWaitMs: 0,
      signal: new AbortController().signal,
      now: () => Date.now() + CLOCK_AHEAD_MS,
      random: this.#dice.next,
    });
    return report.outcome;
  }

  async rest(): Promise<void> {
    await sleep(2 * REST_MS);
  }
}
