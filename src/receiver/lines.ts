import { isUtf8 } from "node:buffer";
import { maxBodyBytes, type PartLimits, tooLarge } from "./limits.ts";
import { Refusal } from "./refusal.ts";

const NEWLINE = 0x0a;

/**
 * Regroups chunks so that each ends with a newline (the last one may lack it).
 * `split2` searches its remainder again with every chunk, which is quadratic on long
 * lines; fed only whole lines it is linear. Holds at most one line plus one chunk.
 *
 * @throws {Refusal} `LINE_TOO_LONG`, `TOO_MANY_LINES`, `PART_TOO_LARGE`, or `NOT_UTF8`
 * (JSON is UTF-8: RFC 8259, 8.1).
 */
export async function* wholeLines(
  chunks: AsyncIterable<Buffer>,
  limits: PartLimits,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let lineBytes = 0;
  let lines = 0;
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      checkLength(lineBytes + end - start, limits.lineBytes);
      checkCount(++lines, limits.lines);
      lineBytes = 0;
      start = end + 1;
    }
    lineBytes += chunk.length - start;
    checkLength(lineBytes, limits.lineBytes);
    bytes += chunk.length;
    checkTotal(bytes, maxBodyBytes(lines + 1, limits));
    if (start > 0) {
      held.push(chunk.subarray(0, start));
      yield checkedUtf8(Buffer.concat(held));
      held = [];
    }
    if (start < chunk.length) held.push(chunk.subarray(start));
  }
  if (held.length === 0) return;
  checkCount(++lines, limits.lines);
  yield checkedUtf8(Buffer.concat(held));
}

function checkLength(bytes: number, most: number): void {
  if (bytes > most) {
    throw new Refusal(413, "LINE_TOO_LONG", `a line is longer than ${most} bytes`);
  }
}

function checkCount(lines: number, most: number): void {
  if (lines > most) {
    throw new Refusal(413, "TOO_MANY_LINES", `the body has more than ${most} lines`);
  }
}

function checkTotal(bytes: number, most: number): void {
  if (bytes > most) throw tooLarge("its lines so far have", most);
}

function checkedUtf8(lines: Buffer): Buffer {
  if (!isUtf8(lines)) throw new Refusal(400, "NOT_UTF8", "the body is not valid UTF-8");
  return lines;
}
