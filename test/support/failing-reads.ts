import { type FileHandle, open } from "node:fs/promises";
import { onTestFinished, vi } from "vitest";

/** Which bytes are read; more arguments of `FileHandle.read` matter to nobody here. */
export interface ReadRange {
  readonly length: number;
  readonly position: number;
}

/**
 * Lets reads of files fail until the test has finished, at the boundary to the file system.
 * @param headBytes how much of the beginning of a file is shown
 * @param fails throws for those that fail
 */
export async function failReads(
  headBytes: number,
  fails: (head: Buffer, range: ReadRange) => void,
): Promise<void> {
  const probe = await open("/dev/null");
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const read = prototype.read as (...args: unknown[]) => Promise<unknown>;
  const spy = vi.spyOn(prototype, "read").mockImplementation(async function (
    this: FileHandle,
    ...args: unknown[]
  ) {
    const head = Buffer.alloc(headBytes);
    await read.call(this, head, 0, headBytes, 0);
    const [, , length, position] = args as [unknown, unknown, number, number];
    fails(head, { length, position });
    return read.apply(this, args);
  } as never);
  onTestFinished(() => spy.mockRestore());
}
