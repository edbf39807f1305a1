import { digest, type Ledger } from "../ledger/ledger.ts";
import type { PlannedPart, StreamRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { SourceChangedError } from "../shared/problem.ts";
import type { Reader } from "../stores/store.ts";

/** A stream's first part, which the API refused for its size. */
export interface RefusedPart {
  /** Of the session, in the ledger. */
  readonly key: string;
  /** Of the stream. */
  readonly source: string;
  readonly record: StreamRecord;
  readonly part: PlannedPart;
  readonly reader: Reader;
}

/**
 * Replaces a part that is too large for the API by two, or a single line by its
 * length, and writes that down before it is sent. False when there is nothing
 * left to make smaller.
 */
export async function halvePart(
  ledger: Ledger,
  target: TargetRecords,
  { key, source, record, part, reader }: RefusedPart,
): Promise<boolean> {
  if (part.omitted !== undefined) return false;
  const from = record.position.offset;
  const half = Math.max(1, Math.floor(part.bytes / 2));
  let cut = await reader.cut(from, { maxBytes: half });
  if (cut.kind === "over") cut = await reader.cut(from, { maxBytes: cut.bytes });
  if (cut.kind !== "range") throw new SourceChangedError("it became shorter while it was sent");
  const keyOf = (suffix: string): string => digest([part.idempotencyKey, suffix]);
  const { end, fingerprint, bytes } = cut;
  const room = part.bytes - bytes;
  const rest = end < part.end ? await reader.cut(end, { maxBytes: room }) : null;
  const first = { ...part, end, fingerprint, bytes, idempotencyKey: keyOf("first") };
  const second = { ...part, bytes: room, idempotencyKey: keyOf("rest") };
  if (cut.blank === true) {
    // White space in front has no line to send: the position moves over it.
    target.skip(key, source, { offset: end, fingerprint });
    target.replacePart(key, source, [second]);
  } else if (rest === null) {
    const omitted = await lengthOfLine(reader, from, part.end);
    const line = { ...part, idempotencyKey: keyOf("omitted"), omitted };
    target.replacePart(key, source, [line]);
  } else if (rest.kind === "range" && rest.blank === true) {
    // White space behind has none either; whatever comes next begins with it.
    target.replacePart(key, source, [first]);
  } else {
    target.replacePart(key, source, [first, second]);
  }
  await ledger.save();
  return true;
}

/** Bytes of the one line in a range, without the newline, which a last line may lack. */
async function lengthOfLine(reader: Reader, from: number, end: number): Promise<number> {
  let bytes = 0;
  let last: number | undefined;
  for await (const block of reader.read(from, end)) {
    bytes += block.length;
    last = block.at(-1);
  }
  return last === 0x0a ? bytes - 1 : bytes;
}
