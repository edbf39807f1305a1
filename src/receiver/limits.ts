import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../protocol/limits.ts";
import { Refusal } from "./refusal.ts";

/** The most that one part may be. What goes beyond is answered with 413. */
export interface PartLimits {
  /** Bytes of one line of the body without its newline; memory is bounded by it. */
  readonly lineBytes: number;
  /** Lines of the body, empty ones included. */
  readonly lines: number;
  /** Bytes of the payloads with their newlines, which is what is written to disk. */
  readonly payloadBytes: number;
  /** Bytes for each line that the body may have beyond `payloadBytes`, after decompression. */
  readonly envelopeBytes: number;
}

/** JSON needs up to six bytes for one byte of text (`\u0000`). */
const ESCAPED_BYTES = 6;

/** What stands around a line that is sent as `{"raw":"…"}`, and its newline. */
const RAW_BYTES = '{"raw":""}\n'.length;

/** A line of source has one byte and its newline at least. */
const MAX_LINES = MAX_PART_BYTES / 2;

/**
 * The largest part that the contract allows: 8 MiB of source in as many lines as that can
 * have, every byte of it escaped. A small body may decompress to any size; these end it.
 */
export const PART_LIMITS: PartLimits = {
  lineBytes: ESCAPED_BYTES * MAX_LINE_BYTES + 64 * 1024,
  lines: MAX_LINES,
  payloadBytes: ESCAPED_BYTES * MAX_PART_BYTES + RAW_BYTES * MAX_LINES,
  // About 300 with UUIDs as ids.
  envelopeBytes: 512,
};

/** The most bytes that the first `lines` lines of a body may have together. */
export function maxBodyBytes(
  lines: number,
  { payloadBytes, envelopeBytes }: Pick<PartLimits, "payloadBytes" | "envelopeBytes">,
): number {
  return payloadBytes + lines * envelopeBytes;
}

export function tooLarge(what: string, maxBytes: number): Refusal {
  return new Refusal(
    413,
    "PART_TOO_LARGE",
    `the part is too large: ${what} more than ${maxBytes} bytes`,
  );
}
