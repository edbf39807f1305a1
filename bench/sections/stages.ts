import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import split2 from "split2";
import { Bench as Tinybench } from "tinybench";
import { type Bench, fieldsOf, makeState, sessionFile } from "../lib/bench.ts";
import { built } from "../lib/built.ts";
import { type Figure, figuresOf, MB, MIB } from "../lib/figures.ts";

const SECTION = "Stages of the hot path, one after the other, in memory";
const READ_BYTES = 256 * 1024;
const BLOCK_BYTES = 64 * 1024;

const FIELDS = fieldsOf("00000000-0000-4000-a000-000000000000");

/** MB/s of each stage on 8 MiB of transcript, which is one part. */
export async function stages(bench: Bench): Promise<Figure[]> {
  const [{ GZIP }, { wholeLines }, { toPayload, noLines }, { EnvelopeWriter }] = await Promise.all([
    built("upload/compressor"),
    built("lines/line-splitter"),
    built("lines/entry"),
    built("upload/envelope"),
  ]);
  const state = makeState(bench, "stages", "jsonl", [{ seed: 2, bytes: 8 * MIB }]);
  const bytes = readFileSync(sessionFile(state, 2));
  const lines = bytes.toString("latin1").split("\n").slice(0, -1);
  const chunks = slices(bytes, READ_BYTES);
  const split = () => wholeLines(iterate(chunks), { maxLineBytes: 8 * MIB });

  const newStages = (): Tinybench =>
    new Tinybench({ time: bench.quick ? 300 : 1500, warmupTime: 200 })
      .add("line splitter", async () => {
        for await (const chunk of split()) chunk.length;
      })
      .add("line splitter and split2", async () => {
        const options = {
          decodeStrings: false,
          readableHighWaterMark: 1,
          writableHighWaterMark: 1,
        };
        const splitter = split2("\n", () => undefined, options);
        await finished(Readable.from(split(), { highWaterMark: 1 }).pipe(splitter).resume());
      })
      .add("entry check", () => {
        const counts = noLines();
        for (const line of lines) toPayload(line, counts);
      })
      .add("envelope writer", () => {
        const writer = new EnvelopeWriter(FIELDS, 0);
        for (const line of lines) writer.add(line);
        writer.flush();
      })
      .add("gzip of 64 KiB blocks", () => {
        for (const block of slices(bytes, BLOCK_BYTES))
          gzipSync(block, { ...GZIP, chunkSize: BLOCK_BYTES });
      });
  const { results, rounds } = await bench.measure("stages", 1, () => newStages().run());
  const figures = results.flat().map(({ name, result }) => {
    if (!("latency" in result)) throw new Error(`${name} was not measured`, { cause: result });
    const value = bytes.length / MB / (result.latency.p50 / 1000);
    return { section: SECTION, what: name, value, unit: "MB/s" };
  });
  return figuresOf(rounds, figures);
}

async function* iterate(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

function slices(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
