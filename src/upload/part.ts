import { digest } from "../ledger/ledger.ts";
import type { PlannedPart } from "../ledger/records.ts";
import { sentLines } from "../lines/entry.ts";
import { SourceChangedError } from "../shared/problem.ts";
import { type Body, createBody } from "./body.ts";
import { classifyAnswer } from "./classify.ts";
import type { Client } from "./client.ts";
import type { BodyCoding } from "./compressor.ts";
import { classifyFailure } from "./failure.ts";
import type { PartOutcome, PartSource, Send } from "./send.ts";

export interface AttemptOptions {
  readonly client: Pick<Client, "send" | "hasConnected" | "address">;
  readonly deploymentId: string;
  readonly projectId: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly onBytes?: (bytes: number) => void;
}

/** One attempt at a part: the innermost {@link Send}, around which the layers are. */
export function attempting(options: AttemptOptions): Send {
  return async (source, coding) => {
    await using body = await openBody(source, coding, options);
    try {
      return await attempt(source, body, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (body.sourceError !== undefined) throw body.sourceError;
      return classifyFailure(error, options.client.address);
    }
  };
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
  { part, generation, start, transform }: PartSource,
  body: Body,
  { client, signal, now, onBytes }: AttemptOptions,
): Promise<PartOutcome> {
  const { answer, bodySent } = await client.send({
    idempotencyKey: keyFor(part),
    generation,
    firstLine: start.lines,
    transform,
    body,
    signal,
    ...(onBytes === undefined ? {} : { onBytes }),
  });
  const { counts, redactions } = body;
  const outcome = classifyAnswer(answer, sentLines(counts), now());
  if (outcome.kind !== "delivered") return outcome;
  if (!bodySent) return { kind: "retry", reason: "answered before the whole part had been sent" };
  const { acceptEncoding } = answer;
  return { ...outcome, counts, redactions, lastEntry: body.lastEntry(), acceptEncoding };
}

/**
 * The body of a part, of which nothing was read yet.
 * @throws {SourceChangedError} when it is not what was planned any more
 */
export async function openBody(
  source: PartSource,
  coding: BodyCoding,
  {
    deploymentId,
    projectId,
    signal,
  }: Pick<AttemptOptions, "deploymentId" | "projectId" | "signal">,
): Promise<Body> {
  await checkSource(source);
  const { reader, start, part, agentId, sessionId, transform } = source;
  const { capturedAt } = part;
  const notJson = reader.notJson?.bind(reader, start.offset);
  const lines =
    part.omitted !== undefined ? { omittedBytes: part.omitted } : readUnchanged(source, signal);
  const fields = { deploymentId, projectId, agentId, sessionId, capturedAt };
  return createBody({ lines, fields, firstLine: start.lines, coding, transform, notJson });
}
