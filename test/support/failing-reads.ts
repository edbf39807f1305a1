import { onTestFinished, vi } from "vitest";
import { TranscriptFile } from "../../src/stores/jsonl/file.ts";

/** Which bytes are read. */
export interface ReadRange {
  readonly length: number;
  readonly position: number;
}

/**
 * Lets reads of transcripts fail until the test has finished, at the boundary to the file system.
 * @param headBytes how much of the beginning of a file is shown
 * @param fails throws for those that fail
 */
export function failReads(
  headBytes: number,
  fails: (head: Buffer, range: ReadRange) => void,
): void {
  const { fill } = TranscriptFile.prototype;
  const spy = vi.spyOn(TranscriptFile.prototype, "fill").mockImplementation(async function (
    this: TranscriptFile,
    buffer,
    offset,
  ) {
    const head = Buffer.alloc(headBytes);
    await fill.call(this, head, 0);
    fails(head, { length: buffer.length, position: offset });
    return fill.call(this, buffer, offset);
  });
  onTestFinished(() => spy.mockRestore());
}
