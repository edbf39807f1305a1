import { Duplex, type TransformCallback } from "node:stream";
import * as zlib from "node:zlib";
import { InfluxionError } from "../shared/problem.ts";

/**
 * No frame of the content coding needs a larger window (RFC 9659, 3), which a decoder
 * holds in memory; by itself Node would hold 128 MiB for one that asks for it.
 */
const WINDOW_LOG = 23;

/** The body ends within a frame. */
export class CutShortError extends InfluxionError {
  constructor() {
    super("ZSTD_CUT_SHORT", "the last frame of zstd is cut short");
  }
}

/**
 * Decodes a body of zstd: one frame after another (RFC 8878, 3), to its end.
 *
 * It watches for the ends of frames because Node's decoder does not do so reliably.
 * When more follows a frame in the same chunk it ends, and says nothing
 * (nodejs/node#64741): what becomes of a body would depend on how the network cut it,
 * and bodies of several frames are common, as Node's own encoder may append an empty
 * one (nodejs/node#66078). And before nodejs/node#64593, so in the oldest Node that is
 * supported, it takes a body that is cut short for a whole one. So it is given no
 * chunk with more than one frame in it, and is not asked whether the last one is whole.
 * Node 24 tells a cut, and Node 26 goes on to the next frame: once no older one is
 * supported, its decoder is enough, with `bytesWritten` for what follows, as for gzip.
 */
export class ZstdDecoder extends Duplex {
  readonly #decoder: zlib.ZstdDecompress;
  readonly #frames = new FrameWatch();

  constructor(chunkSize: number) {
    super();
    const params = { [zlib.constants.ZSTD_d_windowLogMax]: WINDOW_LOG };
    this.#decoder = zlib.createZstdDecompress({ chunkSize, params });
    this.#decoder.on("error", (error) => this.destroy(error));
    this.#decoder.on("data", (chunk) => {
      if (!this.push(chunk)) this.#decoder.pause();
    });
  }

  override _read(): void {
    this.#decoder.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    const end = this.#frames.advance(chunk);
    this.#decoder.write(chunk.subarray(0, end), (error) => {
      // An error reaches `done` by way of `destroy`.
      if (error) return;
      if (end === chunk.length) done();
      else this._write(chunk.subarray(end), encoding, done);
    });
  }

  override _final(done: TransformCallback): void {
    if (!this.#frames.whole) {
      done(new CutShortError());
      return;
    }
    this.#decoder.once("end", () => {
      this.push(null);
      done();
    });
    this.#decoder.end();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#decoder.destroy();
    done(error);
  }
}

/** The first bytes of a field that are kept to be read. */
const KEPT_BYTES = 4;

/** Follows a body of zstd from header to header, without decoding anything. */
class FrameWatch {
  /** The frame that has begun; undefined between two. */
  #fields: Generator<number, void, Buffer> | undefined;
  /** Bytes that are missing of the present field. */
  #missing = 0;
  #kept = Buffer.alloc(0);
  #seen = false;

  /** One frame or more was seen, and nothing is missing of the last. */
  get whole(): boolean {
    return this.#seen && this.#fields === undefined;
  }

  /** Returns where the frame that `chunk` begins with or goes on with ends, at most its length. */
  advance(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#fields === undefined) this.#enter(fieldsOfFrame());
      const bytes = chunk.subarray(at, at + this.#missing);
      at += bytes.length;
      this.#missing -= bytes.length;
      const kept = bytes.subarray(0, KEPT_BYTES - this.#kept.length);
      this.#kept = Buffer.concat([this.#kept, kept]);
      if (this.#missing === 0 && this.#next()) break;
    }
    return at;
  }

  #enter(fields: Generator<number, void, Buffer>): void {
    this.#seen = true;
    this.#fields = fields;
    this.#next();
  }

  /** Goes on to the next field that is not empty; returns whether the frame ended instead. */
  #next(): boolean {
    while (this.#missing === 0) {
      const next = this.#fields?.next(this.#kept);
      this.#kept = Buffer.alloc(0);
      if (next === undefined || next.done) {
        this.#fields = undefined;
        return true;
      }
      this.#missing = next.value;
    }
    return false;
  }
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;
const RLE_BLOCK = 1;

/** Yields the length of each field of a frame (RFC 8878, 3.1), and is given its first bytes. */
function* fieldsOfFrame(): Generator<number, void, Buffer> {
  const magic = (yield 4).readUInt32LE();
  if (magic >>> 4 === SKIPPABLE_MAGIC) {
    yield (yield 4).readUInt32LE();
    return;
  }
  // No frame: what is wrong with it is the decoder's to say.
  if (magic !== MAGIC) yield Number.POSITIVE_INFINITY;
  const descriptor = (yield 1).readUInt8();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowBytes = isSingleSegment ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  yield windowBytes + dictionaryBytes + sizeBytes;
  for (let isLast = false; !isLast; ) {
    const header = (yield 3).readUIntLE(0, 3);
    isLast = (header & 1) === 1;
    yield ((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  yield hasChecksum ? 4 : 0;
}
