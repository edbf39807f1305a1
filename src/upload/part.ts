import { setTimeout as sleep } from "node:timers/promises";
import { digest } from "../ledger/ledger.ts";
import type { PlannedPart } from "../ledger/records.ts";
import { type LineCounts, sentLines } from "../lines/entry.ts";
import type { Coding, Receipt } from "../protocol/wire.ts";
import { errnoOf, SourceChangedError } from "../shared/problem.ts";
import type { Position, Reader } from "../stores/store.ts";
import { type Body, createBody } from "./body.ts";
import { classifyAnswer, type Outcome } from "./classify.ts";
import type { Client } from "./client.ts";
import type { CodingChoice } from "./coding.ts";
import { classifyFailure } from "./failure.ts";
import { backoffMs } from "./retry.ts";

/** A wait longer than this ends the run instead; the sessions stay pending. In ms. */
export const MAX_WAIT_IN_RUN_MS = 5 * 60_000;

/** One range of one stream, ready to be read as often as it takes. */
export interface PartSource {
  readonly reader: Reader;
  readonly start: Position;
  readonly part: PlannedPart;
  readonly generation: number;
  readonly agentId: string;
  readonly sessionId: string;
}

export interface SendOptions {
  readonly client: Client;
  readonly pacer: Pacer;
  readonly codings: CodingChoice;
  readonly deploymentId: string;
  readonly projectId: string;
  /** Retries after the first attempt. */
  readonly retryAttempts: number;
  readonly retryBackoffMs: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly random: () => number;
  readonly onBytes?: (bytes: number) => void;
  /** Told why an attempt failed and how long the next one waits, in ms. */
  readonly onRetry?: (reason: string, waitMs: number) => void;
}

/** How a part ended, with what was in it when it was delivered. */
export type PartResult = Delivered | Exclude<Outcome, { kind: "delivered" | "retry" }> | Spent;

export interface Delivered {
  readonly kind: "delivered";
  readonly receipt: Receipt;
  readonly counts: LineCounts;
  readonly lastEntry: string | undefined;
}

/** The retries are spent, or the API asked for a longer wait than a run may last. */
export interface Spent {
  readonly kind: "spent";
  readonly reason: string;
  readonly waitMs: number | undefined;
}

/** Failures of a connection that the server had closed while it was idle. */
const STALE = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/**
 * Sends one part until it is delivered, will not be, or the retries are spent.
 * Every attempt reads the range anew and has the same bytes and the same key.
 *
 * @throws the signal's reason, or what reading the transcript threw
 */
export async function sendPart(source: PartSource, options: SendOptions): Promise<PartResult> {
  const { client, pacer, codings, signal } = options;
  let coding = codings.next;
  let isRefused = false;
  // A connection that was answered before may be one that the server has closed since: once per attempt that is no failure.
  let mayBeStale = true;
  for (let retry = 0; ; ) {
    await pacer.wait(signal);
    await checkSource(source);
    await using body = bodyOf(source, coding, options);
    const outcome = await attempt(source, body, options);
    if (outcome.kind === "delivered") {
      if (isRefused) codings.refused();
      return { ...outcome, counts: body.counts, lastEntry: body.lastEntry() };
    }
    const isSessions = outcome.kind === "aside" || outcome.kind === "not-found";
    if (isSessions && coding === "zstd") {
      // It may be the coding, whatever the status says: not everything between here and the API knows zstd.
      isRefused = true;
      coding = "gzip";
      continue;
    }
    if (outcome.kind !== "retry") return outcome;
    if (mayBeStale && client.hasConnected && STALE.has(outcome.code ?? "")) {
      mayBeStale = false;
      continue;
    }
    mayBeStale = true;
    const { reason, waitMs } = outcome;
    // What the API asks for concerns every part of the run; a part's own back-off only itself.
    if (waitMs !== undefined) pacer.holdFor(waitMs);
    if (retry >= options.retryAttempts || (waitMs ?? 0) > MAX_WAIT_IN_RUN_MS) {
      return { kind: "spent", reason, waitMs };
    }
    const backoff = backoffMs(retry, options.retryBackoffMs, options.random);
    options.onRetry?.(reason, Math.max(waitMs ?? 0, backoff));
    await sleep(backoff, undefined, { signal });
    retry++;
  }
}

/**
 * Every attempt must have the bytes that were planned, or the key would stand for two things.
 * @throws {SourceChangedError}
 */
async function checkSource({ reader, start, part }: PartSource): Promise<void> {
  const { end: offset, fingerprint } = part;
  for (const position of [start, { ...start, offset, fingerprint }]) {
    if ((await reader.verify(position)) !== "same") {
      throw new SourceChangedError("it was rewritten a moment ago");
    }
  }
}

/**
 * The part's bytes. What was planned is looked at again behind the last of them: a
 * body without its end is no part, so what is rewritten meanwhile never arrives.
 */
async function* readUnchanged(source: PartSource, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { reader, start, part } = source;
  yield* reader.read(start.offset, part.end, signal);
  await checkSource(source);
}

/** The part's key; one that the ledger holds damaged, and no header may carry, by its digest. */
function keyFor({ idempotencyKey }: PlannedPart): string {
  return /^[0-9a-f]{64}$/.test(idempotencyKey) ? idempotencyKey : digest([idempotencyKey]);
}

async function attempt(
  { part, generation, start }: PartSource,
  body: Body,
  { client, codings, signal, now, onBytes }: SendOptions,
): Promise<Outcome & { code?: string }> {
  try {
    const { answer, bodySent } = await client.send({
      idempotencyKey: keyFor(part),
      generation,
      firstLine: start.lines,
      body,
      signal,
      ...(onBytes === undefined ? {} : { onBytes }),
    });
    const outcome = classifyAnswer(answer, sentLines(body.counts), now());
    if (outcome.kind === "delivered" && !bodySent) {
      return { kind: "retry", reason: "answered before the whole part had been sent" };
    }
    if (outcome.kind === "delivered") codings.advertised(answer.acceptEncoding);
    return outcome;
  } catch (error) {
    signal.throwIfAborted();
    if (body.sourceError !== undefined) throw body.sourceError;
    return { ...classifyFailure(error), code: errnoOf(error) };
  }
}

function bodyOf(
  source: PartSource,
  coding: Coding,
  { deploymentId, projectId, signal }: SendOptions,
): Body {
  const { reader, start, part, agentId, sessionId } = source;
  const { capturedAt } = part;
  const notJson = reader.notJson?.bind(reader, start.offset);
  const lines =
    part.omitted !== undefined ? { omittedBytes: part.omitted } : readUnchanged(source, signal);
  const fields = { deploymentId, projectId, agentId, sessionId, capturedAt };
  return createBody({ lines, fields, firstLine: start.lines, coding, notJson });
}

/** Holds back every part of a run while the API asked not to be called. */
export class Pacer {
  #until = 0;

  holdFor(ms: number): void {
    this.#until = Math.max(this.#until, performance.now() + ms);
  }

  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#until - performance.now();
    if (ms > 0) await sleep(ms, undefined, { signal });
    signal.throwIfAborted();
  }
}
