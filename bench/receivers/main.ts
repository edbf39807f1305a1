/**
 * Parts a second that receivers store in one PostgreSQL, which writes to disk as it does by default:
 * `npm run bench:receivers`, with `-- --seconds 20 --receivers 1,2,4`. Receivers, database and
 * clients share the machine.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { Pool } from "undici";
import { API_KEY, ReceiverProcess } from "../../test/fleet/receivers.ts";
import { PostgresServer } from "../../test/support/postgres.ts";
import { processMs } from "../lib/cpu.ts";

const INGEST_PATH = "/v1/openclaw/ingest/sessions";
/** Clients for each receiver; each sends one part after the other, of sessions of its own. */
const CLIENTS = 8;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "15" },
    receivers: { type: "string", default: "1,2,4" },
  },
});
const seconds = Number(values.seconds);

interface Size {
  readonly name: string;
  readonly lines: number;
  /** Bytes of each entry. */
  readonly bytes: number;
}

const SIZES: readonly Size[] = [
  { name: "10 lines of 1 kB", lines: 10, bytes: 1000 },
  { name: "1,000 lines of 1 kB", lines: 1000, bytes: 1000 },
  { name: "5,000 lines of 1.6 kB (8 MB)", lines: 5000, bytes: 1600 },
];

interface Sent {
  parts: number;
  /** Not taken now, which a Gateway would try again. */
  refused: number;
  jsonBytes: number;
}

/** A body as the plugin sends it, of text that compresses like text. */
function bodyOf({ lines, bytes }: Size, sessionId: string): { bytes: Buffer; length: number } {
  const fields = {
    deploymentId: "bench-deployment",
    projectId: "bench-project",
    agentId: "main",
    agentName: "main",
    sessionId,
    sessionFile: `agents/main/sessions/${sessionId}.jsonl`,
  };
  const text = Array.from({ length: lines }, (_, lineIndex) => {
    const head = JSON.stringify({ ...fields, lineIndex, capturedAt: "2026-01-01T00:00:00.000Z" });
    return `${head.slice(0, -1)},"payload":{"type":"message","text":"${words(bytes)}"}}\n`;
  }).join("");
  return { bytes: gzipSync(text), length: text.length };
}

function words(bytes: number): string {
  let text = "";
  while (text.length < bytes) text += `${Math.random().toString(36).slice(2, 8)} message tool `;
  return text.slice(0, bytes);
}

/** Sends the first part of one session after another until `until`. */
async function client(pool: Pool, size: Size, name: string, until: number): Promise<Sent> {
  const sent = { parts: 0, refused: 0, jsonBytes: 0 };
  const body = bodyOf(size, name);
  while (performance.now() < until) {
    if (await isTaken(pool, body.bytes, name, sent.parts)) {
      sent.parts++;
      sent.jsonBytes += body.length;
    } else {
      sent.refused++;
    }
  }
  return sent;
}

/** Sends the same bytes again and again, each time as the next generation of the session. */
async function isTaken(pool: Pool, body: Buffer, name: string, n: number): Promise<boolean> {
  const headers = {
    authorization: `Bearer ${API_KEY}`,
    "content-type": "application/x-ndjson",
    "content-encoding": "gzip",
    "idempotency-key": `${name} ${n}`,
    "influxion-generation": String(n),
    "influxion-first-line": "0",
  };
  try {
    const answer = await pool.request({ path: INGEST_PATH, method: "POST", headers, body });
    await answer.body.dump();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

async function measure(count: number, size: Size): Promise<string> {
  await using server = await PostgresServer.start({
    fsync: "on",
    full_page_writes: "on",
    shared_buffers: "256MB",
    max_wal_size: "4GB",
  });
  const store = await server.emptyDatabase();
  const receivers = await Promise.all(
    Array.from({ length: count }, () => ReceiverProcess.start(store)),
  );
  const pools = receivers.map(({ url }) => new Pool(url, { connections: CLIENTS }));
  const run = (name: string, ms: number): Promise<Sent[]> => {
    const until = performance.now() + ms;
    return Promise.all(
      pools.flatMap((pool, r) =>
        Array.from({ length: CLIENTS }, (_, n) => client(pool, size, `${name}-${r}-${n}`, until)),
      ),
    );
  };
  await run("warm", 2000);
  const cpu = (): number => receivers.reduce((sum, { pid }) => sum + processMs(pid), 0);
  const [cpuBefore, before] = [cpu(), performance.now()];
  const sent = await run("measured", 1000 * seconds);
  const took = (performance.now() - before) / 1000;
  const cpuMs = cpu() - cpuBefore;
  await Promise.all([...pools.map((pool) => pool.close()), ...receivers.map((one) => one.stop())]);
  for (const { crashes } of receivers) if (crashes.length > 0) throw new Error(crashes.join("\n"));
  const parts = sent.reduce((sum, one) => sum + one.parts, 0);
  const refused = sent.reduce((sum, one) => sum + one.refused, 0);
  const megabytes = sent.reduce((sum, one) => sum + one.jsonBytes, 0) / 1e6;
  return [
    `${count} receiver${count === 1 ? " " : "s"}`,
    size.name.padEnd(30),
    `${(parts / took).toFixed(1)} parts/s`.padStart(16),
    `${(megabytes / took).toFixed(1)} MB/s`.padStart(12),
    `${(cpuMs / megabytes).toFixed(1)} ms CPU of receivers per MB`.padStart(34),
    ...(refused > 0 ? [`${refused} refused`] : []),
  ].join("  ");
}

process.stdout.write(`${availableParallelism()} cores, Node ${process.version}\n`);
for (const size of SIZES) {
  for (const count of values.receivers.split(",").map(Number)) {
    process.stdout.write(`${await measure(count, size)}\n`);
  }
}
