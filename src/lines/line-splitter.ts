import { isUtf8 } from "node:buffer";

const NEWLINE = 0x0a;

/**
 * Begins the stand-in for a line that is left out, followed by its length in
 * bytes. No line of a transcript can begin like this: each of its bytes is a
 * character up to U+00FF here.
 */
export const OMITTED_MARK = "\u0100";

/** Longer chunks are taken in pieces of this size: smaller strings take less memory and CPU, see docs/performance.md. */
const PIECE_BYTES = 64 * 1024;

export interface LineSplitterOptions {
  /** Longest line that passes, newline included, in bytes. */
  readonly maxLineBytes: number;
  /** Notified of each line that was not UTF-8 and has been repaired. */
  readonly onInvalidUtf8?: (lines: number) => void;
}

/**
 * Regroups arbitrary chunks into chunks of whole lines for split2, which would
 * otherwise split a long line from its start with every chunk (quadratic), and emits a torn
 * last line only when the source ends with it.
 *
 * The output is "binary" strings: one character a byte. They are never decoded,
 * so that a line's bytes arrive as they are and a multi-byte character on the
 * edge of a chunk cannot break. Bytes that are not UTF-8 cannot travel in JSON
 * and are replaced by U+FFFD. Memory is bounded by `maxLineBytes`.
 */
export async function* wholeLines(
  source: AsyncIterable<Buffer>,
  { maxLineBytes, onInvalidUtf8 }: LineSplitterOptions,
): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let tooLong = false;

  const emit = (chunk: Buffer): string => {
    if (isUtf8(chunk)) return chunk.toString("latin1");
    const { text, repaired } = repair(chunk);
    onInvalidUtf8?.(repaired);
    return text;
  };

  function* eachLine(lines: Buffer): Generator<string> {
    for (let start = 0; start < lines.length; ) {
      const end = lines.indexOf(NEWLINE, start) + 1;
      const line = lines.subarray(start, end);
      yield line.length > maxLineBytes ? omittedLine(line.length - 1) : emit(line);
      start = end;
    }
  }

  for await (const chunk of inPieces(source)) {
    let start = 0;
    if (heldBytes > 0) {
      // The line begun in earlier chunks ends here, or goes on.
      const end = chunk.indexOf(NEWLINE) + 1;
      heldBytes += end === 0 ? chunk.length : end;
      tooLong ||= heldBytes > maxLineBytes;
      if (tooLong) held = [];
      else held.push(end === 0 ? chunk : chunk.subarray(0, end));
      if (end === 0) continue;
      yield tooLong ? omittedLine(heldBytes - 1) : emit(Buffer.concat(held, heldBytes));
      held = [];
      heldBytes = 0;
      tooLong = false;
      start = end;
    }
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end - start > maxLineBytes) yield* eachLine(chunk.subarray(start, end));
    else if (end > start) yield emit(chunk.subarray(start, end));
    if (Math.max(start, end) < chunk.length) {
      const rest = chunk.subarray(Math.max(start, end));
      heldBytes = rest.length;
      tooLong = heldBytes > maxLineBytes;
      held = tooLong ? [] : [rest];
    }
  }
  if (heldBytes > 0) {
    yield tooLong ? omittedLine(heldBytes) : `${emit(Buffer.concat(held, heldBytes))}\n`;
  }
}

async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      yield chunk.subarray(at, at + PIECE_BYTES);
    }
  }
}

/** The line that stands for one of `bytes` bytes, newline not counted. */
export function omittedLine(bytes: number): string {
  return `${OMITTED_MARK}${bytes}\n`;
}

function repair(chunk: Buffer): { text: string; repaired: number } {
  let text = "";
  let repaired = 0;
  for (let start = 0; start < chunk.length; ) {
    const newline = chunk.indexOf(NEWLINE, start);
    const end = newline === -1 ? chunk.length : newline + 1;
    const line = chunk.subarray(start, end);
    if (isUtf8(line)) {
      text += line.toString("latin1");
    } else {
      text += Buffer.from(line.toString("utf8")).toString("latin1");
      repaired++;
    }
    start = end;
  }
  return { text, repaired };
}
