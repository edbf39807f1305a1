import { globSync, readFileSync, statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Block } from "../../src/upload/envelope.ts";
import { sessionEntries } from "../corpus.ts";
import { type Bench, fieldsOf } from "../lib/bench.ts";
import { built } from "../lib/built.ts";
import { type Figure, figuresOf, MB, MIB, median } from "../lib/figures.ts";
import { Random } from "../lib/random.ts";
import { SLOW_TEXTS } from "../lib/slow-texts.ts";
import { base64 } from "../lib/text.ts";

const FIELDS = fieldsOf("00000000-0000-4000-a000-000000000000");

/** Limit of a line, less what is around the constant in it. */
const LINE_BYTES = 8 * MIB - 100;

/** CPU of an upload with redaction may be this much of one without. */
const CPU_GOAL = 1.25;

/** What redaction adds to an upload, and what a line does that was made to be slow. */
export async function redaction(bench: Bench): Promise<Figure[]> {
  const bytes = bench.quick ? 4 * MB : 16 * MB;
  const figures: Figure[] = [];
  for (const [name, lines] of Object.entries(corporaOf(bytes))) {
    figures.push(...(await measureCorpus(bench, name, lines)));
  }
  return [...figures, ...(await measureLines(bench))];
}

const createRedactor = async () => {
  const { Redactor } = await built("redaction/redactor");
  return new Redactor({ identitySecret: Buffer.alloc(32) });
};

function corporaOf(bytes: number): Record<string, string[]> {
  const random = new Random(4);
  const images = Array.from({ length: Math.ceil(bytes / 130_000) }, () =>
    toolResult({ type: "image", data: base64(random, 130_000), mimeType: "image/png" }),
  );
  return { chat: [...sessionEntries({ seed: 3, bytes })], images, code: codeOf(bytes) };
}

/** A prime, so that files are taken from all over. */
const FILE_STEP = 7919;

/** What reads of files in the packages of this repository give. */
function codeOf(bytes: number): string[] {
  const cwd = fileURLToPath(new URL("../../node_modules", import.meta.url));
  const paths = globSync("**/*.{js,ts,md,json}", { cwd }).toSorted();
  const lines: string[] = [];
  let size = 0;
  for (let file = 0; size < bytes && file < paths.length; file++) {
    const path = `${cwd}/${paths[(file * FILE_STEP) % paths.length]}`;
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > 200_000) continue;
    size += stat.size;
    lines.push(toolResult({ type: "text", text: readFileSync(path, "utf8") }));
  }
  return lines;
}

const toolResult = (content: object): string =>
  JSON.stringify({
    type: "message",
    id: "a1b2c3d4",
    message: { role: "toolResult", content: [content] },
  });

/** Blocks as an upload makes them, with where their payloads are. */
async function blocksOf(lines: readonly string[]): Promise<Block[]> {
  const { EnvelopeWriter } = await built("upload/envelope");
  const writer = new EnvelopeWriter(FIELDS, 0);
  const blocks = lines.map((line) => writer.add(Buffer.from(line).toString("latin1")));
  return [...blocks, writer.flush()].filter((block) => block !== undefined);
}

async function measureCorpus(bench: Bench, name: string, lines: string[]): Promise<Figure[]> {
  const section = `Redaction: ${name}`;
  const [{ createBody }, { BLOCK_BYTES, GZIP }] = await Promise.all([
    built("upload/body"),
    built("upload/compressor"),
  ]);
  const redactor = await createRedactor();
  const blocks = await blocksOf(lines);
  const source = Buffer.from(`${lines.join("\n")}\n`);
  const upload = async () => {
    const input = slices(source);
    await using body = createBody({ lines: input, fields: FIELDS, firstLine: 0, coding: "gzip" });
    for await (const chunk of body.chunks) chunk.length;
  };
  const redact = async () => {
    for (const { bytes, payloads } of blocks) await redactor.redact(bytes, payloads);
  };
  const compress = async () => {
    for (const { bytes } of blocks) gzipSync(bytes, { ...GZIP, chunkSize: BLOCK_BYTES });
  };
  const round = async () => ({
    upload: await cpuOf(upload),
    redact: await cpuOf(redact),
    gzip: await cpuOf(compress),
  });
  // The first one compiles.
  await round();
  const wanted = bench.quick ? 3 : 7;
  const { results: times, rounds } = await bench.measure(`redaction, ${name}`, wanted, round);
  const speed = source.length / MB / (median(times.map((time) => time.redact)) / 1000);
  return figuresOf(rounds, [
    {
      section,
      what: "CPU of an upload with it, in memory",
      value: median(times.map((time) => 1 + time.redact / time.upload)),
      unit: "x without",
      goal: CPU_GOAL,
    },
    {
      section,
      what: "CPU of it alone",
      value: median(times.map((time) => time.redact / time.gzip)),
      unit: "x gzip",
    },
    { section, what: "speed", value: speed, unit: "MB/s" },
  ]);
}

async function* slices(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 256 * 1024) yield bytes.subarray(at, at + 256 * 1024);
}

/** In ms, of all threads. */
async function cpuOf(work: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function slowLines(): [name: string, line: string][] {
  const repeated = (text: string): string =>
    `{"type":"x","text":"${text.repeat(Math.floor(LINE_BYTES / text.length))}"}`;
  const depth = Math.floor(LINE_BYTES / 6);
  return [
    ...SLOW_TEXTS.map((text): [string, string] => [text, repeated(text)]),
    ["deep nesting", `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`],
    [
      "prose with one secret",
      repeated("The quick brown fox. \\n").replace("fox", "password=hunter22x"),
    ],
  ];
}

type LineFigure = Omit<Figure, "rounds">;

/** All in one round: a single line takes less than could be told from what other programs take. */
async function measureLines(bench: Bench): Promise<Figure[]> {
  const { results, rounds } = await bench.measure("redaction, slow lines", 1, async () => {
    const figures: LineFigure[] = [];
    for (const [name, line] of slowLines()) figures.push(...(await measureLine(name, line)));
    return figures;
  });
  return figuresOf(rounds, results.flat());
}

async function measureLine(name: string, line: string): Promise<LineFigure[]> {
  const section = `Redaction: one line of ${Math.round(line.length / MIB)} MiB, ${name}`;
  const redactor = await createRedactor();
  const bytes = Buffer.from(line);
  globalThis.gc?.();
  const rss = process.memoryUsage.rss();
  const watch = watchTurns();
  const cpu = await cpuOf(async () => {
    await redactor.redact(bytes, [0, bytes.length]);
  });
  const { turnMs, rssPeak } = await watch.stop();
  return [
    { section, what: "CPU", value: cpu, unit: "ms" },
    // Of the run's thread: sections/gateway.ts has what such lines do to the Gateway's.
    { section, what: "CPU of one turn of the thread, worst", value: turnMs, unit: "ms" },
    { section, what: "memory added", value: Math.max(0, rssPeak - rss) / MIB, unit: "MiB" },
  ];
}

/** Looks at this thread's CPU and at memory once a turn. */
function watchTurns(): { stop(): Promise<{ turnMs: number; rssPeak: number }> } {
  let turnMs = 0;
  let rssPeak = 0;
  let stopped = false;
  let last = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    turnMs = Math.max(turnMs, (user + system) / 1000);
    rssPeak = Math.max(rssPeak, process.memoryUsage.rss());
    if (!stopped) setImmediate(look);
  };
  setImmediate(look);
  return {
    async stop() {
      await nextTurn();
      stopped = true;
      return { turnMs, rssPeak };
    },
  };
}
