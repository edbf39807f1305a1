import { randomUUID } from "node:crypto";
import type { Config } from "../config/config.ts";
import { lockOwner } from "../ledger/lock.ts";
import { LOCK_WAIT_MS } from "../run/lock-wait.ts";
import { type Pause, readPause } from "../run/pause.ts";
import { removeService, writeService } from "../run/service-file.ts";
import { asInfluxionError } from "../shared/problem.ts";
import { VERSION } from "../shared/version.ts";
import { readLayout } from "../stores/layout.ts";
import { configDigest } from "./config-digest.ts";
import type { GatewayContext } from "./context.ts";
import { type HandedNews, HandedRun } from "./handed-run.ts";
import {
  type FollowRequest,
  readStatusRequest,
  readSyncRequest,
  type StartRequest,
} from "./requests.ts";
import type { RunProgress } from "./run-progress.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { endOf, ServiceRuns } from "./service-run.ts";
import type { NextRun, RunEnd } from "./timetable.ts";

/** What the service says of itself. */
export interface ServiceStatus {
  readonly version: string;
  /** The run that is going on. */
  readonly running: RunProgress | null;
  /** The next one, in ms since the epoch; null where only commands upload. */
  readonly next: NextRun | null;
  readonly paused: Pause | null;
  /** Why the last run did not do all that was due, or null. */
  readonly failure: string | null;
}

/** The service: uploads by itself, and answers those that ask. */
export interface Uploads {
  start(): void;
  /** A transcript has changed. */
  changed(): void;
  /** @throws {Error} a sentence, when the request is not for this service or not well formed */
  status(params: unknown): Promise<ServiceStatus>;
  /** Starts a run, or tells what is new of one. @throws {Error} as `status` does, or while another was handed over */
  sync(params: unknown): Promise<{ readonly run: string } | HandedNews>;
  stop(): Promise<void>;
}

export class UploadService implements Uploads {
  readonly #context: GatewayContext;
  readonly #config: Config;
  readonly #id = randomUUID();
  readonly #runs: ServiceRuns;
  readonly #scheduler: Scheduler;
  #written: Promise<void> = Promise.resolve();
  #handed: HandedRun | null = null;

  constructor(context: GatewayContext, config: Config) {
    this.#context = context;
    this.#config = config;
    this.#runs = new ServiceRuns(context, config);
    this.#scheduler = createScheduler({
      everyMs: config.everyMs,
      onChange: config.upload.onChange,
      run: (scheduled) => this.#runs.scheduled(scheduled),
      now: Date.now,
      random: Math.random,
    });
  }

  start(): void {
    this.#written = writeService(this.#context.stateDir, { id: this.#id, version: VERSION });
    this.#scheduler.start();
  }

  changed(): void {
    this.#scheduler.changed();
  }

  async status(params: unknown): Promise<ServiceStatus> {
    this.#assertFor(readStatusRequest(params));
    return {
      version: VERSION,
      running: this.#runs.progress,
      next: this.#scheduler.next(),
      paused: await readPause(this.#context.stateDir, Date.now()),
      failure: this.#runs.failure,
    };
  }

  async sync(params: unknown): Promise<{ readonly run: string } | HandedNews> {
    const request = readSyncRequest(params);
    this.#assertFor(request);
    return "run" in request ? this.#follow(request) : this.#begin(request);
  }

  async stop(): Promise<void> {
    await this.#scheduler.stop();
    await this.#written;
    await removeService(this.#context.stateDir, this.#id);
  }

  #assertFor({ service, config }: { service?: string | undefined; config?: string | undefined }) {
    if (service !== undefined && service !== this.#id) {
      throw new Error("this is another service than the one that is asked for");
    }
    if (config === undefined) return;
    const layout = readLayout(this.#context.config);
    const digests = [true, false].map((knows) => configDigest(this.#config, layout, knows));
    if (!digests.includes(config)) throw new Error("this service runs with another config");
  }

  #begin(request: StartRequest): { readonly run: string } {
    if (this.#handed?.isOver === false) throw new Error("another run was handed over already");
    const handed = new HandedRun(randomUUID());
    this.#handed = handed;
    void this.#carryOut(handed, request);
    return { run: handed.id };
  }

  #follow({ run, cancel = false }: FollowRequest): HandedNews {
    const handed = this.#handed;
    if (handed?.id !== run) throw new Error("there is no such run");
    if (cancel) handed.cancel();
    return handed.news();
  }

  async #carryOut(handed: HandedRun, request: StartRequest): Promise<void> {
    const { stateDir } = this.#context;
    if (this.#runs.progress !== null) {
      const owner = await lockOwner(stateDir);
      if (owner !== null) handed.events.onWait?.(owner);
    }
    await this.#scheduler.instead(async ({ signal, nextAt }): Promise<RunEnd> => {
      const { all, agent, force, retryBackedOff } = request;
      try {
        const report = await this.#runs.commanded({
          input: { all, agentId: agent, ignorePause: force, retryBackedOff },
          lockWaitMs: LOCK_WAIT_MS,
          events: handed.events,
          signal: AbortSignal.any([signal, handed.signal]),
          nextAt,
        });
        handed.end({ report });
        return agent === undefined ? endOf(report) : { kind: "incomplete" };
      } catch (error) {
        const { code, message } = asInfluxionError(error);
        handed.end({ failure: { code, message } });
        return { kind: "incomplete" };
      }
    });
    // The service was stopped before it began.
    if (!handed.isOver) {
      const message = "the Gateway is stopping, so nothing was uploaded";
      handed.end({ failure: { code: "RUN_ENDED", message } });
    }
  }
}
