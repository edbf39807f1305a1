import { sentLines } from "../lines/entry.ts";
import { type ObservedLine, observed } from "../redaction/observer.ts";
import { type AttemptOptions, openBody } from "./part.ts";
import type { PartSource } from "./send.ts";
import type { SendPart } from "./sender.ts";

export interface ReadingOptions
  extends Pick<AttemptOptions, "deploymentId" | "projectId" | "signal"> {
  /**
   * The decoded body of a part, exactly as it would be sent. Has to be read to its end.
   * @param chunks valid until the next one
   */
  readonly onBody?: ((chunks: AsyncIterable<Buffer>) => Promise<void>) | undefined;
  /** Notified of lines that are not sent as they were, before they are in the body. */
  readonly onLine?: ((lineIndex: number, line: ObservedLine) => void) | undefined;
}

/**
 * In the place of what sends parts: reads each as an attempt would, and hands it to whoever looks on.
 * Nothing leaves, and every part counts as delivered.
 */
export function readingParts(options: ReadingOptions): SendPart {
  return async (source) => {
    await using body = await openBody(watched(source, options), "identity", options);
    try {
      await (options.onBody ?? drain)(body.chunks);
    } catch (error) {
      options.signal.throwIfAborted();
      throw body.sourceError ?? error;
    }
    const { counts, redactions } = body;
    const receipt = { accepted: sentLines(counts), rejected: 0 };
    const lastEntry = body.lastEntry();
    return { kind: "delivered", receipt, counts, redactions, lastEntry, acceptEncoding: undefined };
  };
}

function watched(source: PartSource, { onLine }: ReadingOptions): PartSource {
  if (onLine === undefined) return source;
  const { start, transform } = source;
  const redactor = observed(transform.redactor, (index, line) => onLine(start.lines + index, line));
  return { ...source, transform: { ...transform, redactor } };
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}
