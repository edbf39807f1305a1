/**
 * All Gateways start at once, and each has one part to send to receivers that take only so many in
 * a second: `npm run bench:fleet`, with `-- --gateways 10000 --rate 100 --every 120`.
 *
 * What decides when a request comes is the plugin's own code (its scheduler, its retries, its
 * respect for Retry-After), and what answers is the receiver's own limit. Only the part and
 * the time that storing it takes are simulated. It runs in real time.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { built } from "../../test/support/built.ts";

const { createScheduler } =
  await built<typeof import("../../src/openclaw/scheduler.ts")>("openclaw/scheduler");
const { retrying } = await built<typeof import("../../src/upload/retry.ts")>("upload/retry");
const { paced } = await built<typeof import("../../src/upload/pacer.ts")>("upload/pacer");
const { Admission } =
  await built<typeof import("../../src/receiver/admission.ts")>("receiver/admission");
const { Refusal } = await built<typeof import("../../src/receiver/refusal.ts")>("receiver/refusal");

type Send = import("../../src/upload/send.ts").Send;

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "10000" },
    /** Parts a second. */
    rate: { type: "string", default: "100" },
    /** Seconds from the end of a run to the next one. */
    every: { type: "string", default: "120" },
  },
});
const gateways = Number(values.gateways);
const rate = Number(values.rate);
const everyMs = Number(values.every) * 1000;

const IN_FLIGHT = 50;
/** The plugin's defaults. */
const RETRIES = { retryAttempts: 3, retryBackoffMs: 5000 };

const admission = new Admission({ inFlight: IN_FLIGHT });
const begun = performance.now();
/** By second. */
const requests: number[] = [];
const taken: number[] = [];

function count(seconds: number[]): void {
  const second = Math.floor((performance.now() - begun) / 1000);
  seconds[second] = (seconds[second] ?? 0) + 1;
}

const DELIVERED: Awaited<ReturnType<Send>> = {
  kind: "delivered",
  receipt: { accepted: 1, rejected: 0 },
  counts: {
    entries: 1,
    raw: 0,
    omitted: 0,
    blank: 0,
    messages: 1,
    untyped: 0,
    invalidUtf8: 0,
    redacted: 0,
    withheld: 0,
  },
  redactions: new Map(),
  lastEntry: undefined,
  acceptEncoding: undefined,
};

/** One request to a receiver that has `IN_FLIGHT` places and `rate` parts a second. */
const send: Send = async () => {
  count(requests);
  try {
    using _place = admission.enter("key");
    await sleep((1000 * IN_FLIGHT) / rate);
    count(taken);
    return DELIVERED;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const waitMs = 1000 * Number(error.headers["retry-after"]);
    return { kind: "retry", reason: error.message, waitMs };
  }
};

/** A Gateway that has one part to send; resolves when it was taken. */
function gateway(): Promise<void> {
  return new Promise((done) => {
    const scheduler = createScheduler({
      everyMs,
      now: Date.now,
      random: Math.random,
      async run({ signal }) {
        const layers = [paced(signal), retrying({ ...RETRIES, signal, random: Math.random })];
        const attempt = layers.reduce((inner, layer) => layer(inner), send);
        const outcome = await attempt({} as Parameters<Send>[0], "gzip");
        if (outcome.kind === "delivered") {
          void scheduler.stop();
          done();
        }
        return { kind: "done" };
      },
    });
    scheduler.start();
  });
}

const sum = (list: readonly number[]): number => list.reduce((all, n = 0) => all + n, 0);
const progress = setInterval(() => {
  process.stderr.write(`${sum(taken)} of ${gateways} parts taken, ${sum(requests)} requests\n`);
}, 15_000);
await Promise.all(Array.from({ length: gateways }, gateway));
clearInterval(progress);
const seconds = (performance.now() - begun) / 1000;
const peak = Math.max(...Array.from(requests, (n) => n ?? 0));
const mean = sum(requests) / seconds;
process.stdout.write(
  [
    `${gateways} Gateways, ${rate} parts a second: all taken after ${seconds.toFixed(0)} s`,
    `the least that is possible: ${(gateways / rate).toFixed(0)} s`,
    `requests: ${sum(requests)}, ${(sum(requests) / gateways).toFixed(2)} for each part`,
    `requests a second: ${mean.toFixed(0)} in the mean, ${peak} at the peak (${(peak / mean).toFixed(1)} x)`,
    `parts taken in the first minute: ${sum(taken.slice(0, 60))}`,
    "",
  ].join("\n"),
);
