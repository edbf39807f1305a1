import { isUtf8 } from "node:buffer";
import { type FrameSize, unpackAll } from "./unpack.ts";

/** What a row has, without its content. */
export interface RowSize {
  readonly seq: number;
  /** Length of the JSON text. */
  readonly bytes: number;
  /** Whether the row has the text only compressed: 1 or 0. */
  readonly packed: number;
  /** Length of what is compressed, null without it. */
  readonly stored: number | null;
}

/** The rows of one page, their content joined by SQLite: one buffer costs less than one for each row. */
export interface JoinedRows {
  readonly sizes: readonly RowSize[];
  /** Sequence numbers in the order in which the content was joined. */
  readonly order: string | null;
  /** The texts of rows that are not compressed. */
  readonly texts: Uint8Array | null;
  readonly frames: Uint8Array | null;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The rows' texts as lines, if all of them look like objects on one line. Null if anything is not
 * as it is nearly always: then row by row has to be found out what it is, see `decodeEvent`.
 */
export async function joinedLines(rows: JoinedRows): Promise<Buffer | null> {
  if (!isWhole(rows)) return null;
  const { sizes } = rows;
  const texts = bufferOf(rows.texts);
  const unpacked = await unpackAll(bufferOf(rows.frames), sizes.filter(isPacked));
  if (unpacked === null) return null;
  const next = unpacked.values();
  const lines = Buffer.allocUnsafe(sizes.reduce((sum, { bytes }) => sum + bytes + 1, 0));
  let textsAt = 0;
  let at = 0;
  for (const size of sizes) {
    const end = at + size.bytes;
    if (isPacked(size)) next.next().value?.copy(lines, at);
    else {
      texts.copy(lines, at, textsAt, textsAt + size.bytes);
      textsAt += size.bytes;
    }
    lines[end] = NEWLINE;
    const isObject = lines[at] === OPEN_BRACE && lines[end - 1] === CLOSE_BRACE;
    if (!isObject || lines.indexOf(NEWLINE, at) !== end) return null;
    at = end + 1;
  }
  return isUtf8(lines) && !lines.includes(RETURN) ? lines : null;
}

/** Whether the joined content is that of the rows that were looked at, in their order, each with one content. */
function isWhole({ sizes, order, texts, frames }: JoinedRows): boolean {
  let textBytes = 0;
  let frameBytes = 0;
  for (const { bytes, packed, stored } of sizes) {
    if ((packed === 1) !== (stored !== null)) return false;
    if (stored === null) textBytes += bytes;
    else frameBytes += stored;
  }
  return (
    order === sizes.map(({ seq }) => seq).join() &&
    (texts?.length ?? 0) === textBytes &&
    (frames?.length ?? 0) === frameBytes
  );
}

function bufferOf(bytes: Uint8Array | null): Buffer {
  return bytes === null
    ? Buffer.alloc(0)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isPacked(size: RowSize): size is RowSize & FrameSize {
  return size.stored !== null;
}
