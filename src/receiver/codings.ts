import { type Duplex, PassThrough } from "node:stream";
import * as zlib from "node:zlib";
import type { Coding } from "../protocol/wire.ts";
import { Refusal } from "./refusal.ts";
import { ZstdDecoder } from "./zstd.ts";

export const CODINGS: readonly Coding[] = ["zstd", "gzip"];

/** `bytesWritten` is how much of its input a decoder has used, where that may be less than all. */
export type Decoder = Duplex & { readonly bytesWritten?: number };

const BLOCK_BYTES = 64 * 1024;

const DECODERS: Readonly<Record<Coding, () => Decoder>> = {
  gzip: () => zlib.createGunzip({ chunkSize: BLOCK_BYTES }),
  zstd: () => new ZstdDecoder(BLOCK_BYTES),
};

/**
 * Undoes a content coding; `identity` is none, and always taken.
 * @throws {Refusal} 415 for a coding that is not one of `accepted`.
 */
export function createDecoder(contentEncoding: string, accepted: readonly Coding[]): Decoder {
  const name = contentEncoding.trim().toLowerCase();
  if (name === "identity") return new PassThrough();
  const coding = accepted.find((candidate) => candidate === name);
  if (coding !== undefined) return DECODERS[coding]();
  const names = [...accepted, "identity"].join(", ");
  throw new Refusal(415, "CONTENT_ENCODING", `Content-Encoding must be one of ${names}`);
}
