/** Compression alone: a file through zlib into nothing, as fast as Node does it. */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { built } from "../lib/built.ts";
import { programInput, programResult } from "../lib/child.ts";

export interface CompressInput {
  readonly file: string;
  readonly format: "gzip" | "zstd";
  readonly level: number;
  readonly memLevel?: number;
  /** Of zstd, in powers of two. @default what the level takes by itself */
  readonly windowLog?: number;
}

export interface CompressResult {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** The size of blocks both ways: the plugin's own. */
const { BLOCK_BYTES: BLOCK } = await built("upload/compressor");

const { file, format, level, memLevel = 8, windowLog = 0 } = programInput<CompressInput>();
const compressor =
  format === "gzip"
    ? createGzip({ level, memLevel, chunkSize: BLOCK })
    : createZstdCompress({
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: windowLog,
        },
        chunkSize: BLOCK,
      });
let outBytes = 0;
const cpu = process.cpuUsage();
const start = performance.now();
const source = createReadStream(file, { highWaterMark: BLOCK });
await pipeline(source, compressor, async (chunks: AsyncIterable<Buffer>) => {
  for await (const chunk of chunks) outBytes += chunk.length;
});
const wallMs = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
programResult({
  wallMs,
  cpuMs: (user + system) / 1000,
  inBytes: source.bytesRead,
  outBytes,
} satisfies CompressResult);
