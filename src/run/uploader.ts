import pLimit from "p-limit";
import type { SurveyedSession } from "../discovery/examine.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { PlannedSession } from "../planning/parts.ts";
import type { Client } from "../upload/client.ts";
import { CodingChoice } from "../upload/coding.ts";
import { createSender, type SendPart } from "../upload/sender.ts";
import { type SessionResult, uploadSession } from "../upload/session.ts";
import type { Transform } from "../upload/transform.ts";
import { connect } from "./connect.ts";
import type { RunOptions, SessionName } from "./options.ts";
import { whyPaused } from "./pause.ts";
import type { Tally } from "./tally.ts";

export interface UploaderOptions extends RunOptions {
  readonly ledger: Ledger;
  readonly target: TargetRecords;
  readonly tally: Tally;
}

/** What a round needs beside what a run is done with. */
interface SendOptions extends UploaderOptions {
  readonly transformOf: (session: SurveyedSession) => Transform;
}

/** Sends planned sessions side by side over one pool of connections, until something ends the run. */
export class Uploader implements AsyncDisposable {
  readonly #options: SendOptions;
  readonly #stop = new AbortController();
  readonly #running: AbortSignal;
  readonly #codings: CodingChoice;
  #client: Client | undefined;
  #send: SendPart | undefined;

  constructor(options: SendOptions) {
    this.#options = options;
    this.#running = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#codings = new CodingChoice(options.target.coding);
  }

  /**
   * Sends what is planned. Whatever ends the run is left in `tally.stop`.
   *
   * @param onBegin notified of each session that is begun
   * @returns how each session that was begun has ended
   * @throws {LedgerError} when a confirmation cannot be recorded
   * @throws the signal's reason
   */
  async send(
    plan: readonly PlannedSession[],
    onBegin: (key: string) => void,
  ): Promise<ReadonlyMap<string, SessionResult>> {
    const { config, signal, tally, events } = this.#options;
    // Not needed, and not loaded, while there is nothing to send.
    this.#client ??= await connect(this.#options, {
      onWarning: (problem) => tally.problems.push(problem),
    });
    this.#send ??= this.#createSender(this.#client);
    const context = { ...this.#options, signal: this.#running, send: this.#send };
    const limit = pLimit(compressors(config.upload.concurrency));
    const results = new Map<string, SessionResult>();
    const failures: unknown[] = [];
    const uploads = plan.map((planned) =>
      limit(async () => {
        if (this.#running.aborted) return;
        const { session } = planned;
        onBegin(session.key);
        try {
          const result = await uploadSession(planned, context);
          results.set(session.key, result);
          events?.onSession?.(nameOf(session), result === "restart" ? "later" : result);
        } catch (error) {
          failures.push(error);
        }
        // What ends the run also ends the sessions in flight; only the first reason counts.
        if (failures.length > 0 || tally.stop !== null) this.#stop.abort(failures[0]);
      }),
    );
    await Promise.all(uploads);
    this.#options.target.setCoding(this.#codings.known);
    signal.throwIfAborted();
    if (tally.stop === null && failures.length > 0) throw failures[0];
    return results;
  }

  /** Ends every connection at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.close();
  }

  #createSender(client: Client): SendPart {
    const { config, now, random, tally, events } = this.#options;
    const { retryAttempts, retryBackoffMs } = config.upload;
    return createSender({
      client,
      codings: this.#codings,
      deploymentId: config.deploymentId,
      projectId: config.projectId,
      retryAttempts,
      retryBackoffMs,
      signal: this.#running,
      now,
      random,
      whyPaused: () => whyPaused(this.#options),
      onBytes: (bytes) => {
        tally.wireBytes += bytes;
        events?.onBytes?.(bytes);
      },
      onRetry: (source, reason, waitMs) => events?.onRetry?.(nameOf(source), reason, waitMs),
    });
  }
}

/** The name alone: what it is of may not cross to another thread. */
export const nameOf = ({ agentId, sessionId }: SessionName): SessionName => ({
  agentId,
  sessionId,
});

/** libuv's pool has four threads unless the environment says otherwise; half of them stay with the Gateway. */
function compressors(concurrency: number): number {
  const pool = Number(process.env.UV_THREADPOOL_SIZE ?? 4) || 4;
  return Math.max(1, Math.min(concurrency, Math.floor(pool / 2)));
}
