import type { Deleted, ReceivedPart, Stored } from "./backend.ts";
import type { Refusal } from "./refusal.ts";

const PREFIX = "influxion_receiver_";

const COUNTERS: readonly (readonly [name: string, help: string])[] = [
  ["parts_total", "Parts stored."],
  ["repeats_total", "Parts that came again and were answered from the record."],
  ["lines_accepted_total", "Lines stored."],
  ["lines_rejected_total", "Lines of stored parts that were rejected."],
  ["wire_bytes_total", "Bytes of the stored parts' bodies as they were sent."],
  ["decoded_bytes_total", "Bytes of the stored parts' bodies after decompression."],
  ["deletions_total", "Deletions that clients asked for and that were carried out."],
  ["sessions_deleted_total", "Sessions of which these deleted something."],
];

/** Upper bounds of the histogram of durations, in seconds. */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** A value of the moment. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: () => number;
}

/**
 * What one receiver has done since it started, in the text format of Prometheus:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export class Metrics {
  readonly #counters = new Map<string, number>(COUNTERS.map(([name]) => [name, 0]));
  readonly #refusals = new Map<string, number>();
  readonly #buckets = BUCKETS.map(() => 0);
  readonly #gauges: readonly Gauge[];
  #durations = 0;
  #seconds = 0;

  constructor(gauges: readonly Gauge[] = []) {
    this.#gauges = gauges;
  }

  stored(part: ReceivedPart, { repeated }: Stored): void {
    if (repeated) {
      this.#add("repeats_total", 1);
      return;
    }
    this.#add("parts_total", 1);
    this.#add("lines_accepted_total", part.accepted);
    this.#add("lines_rejected_total", part.rejected);
    this.#add("wire_bytes_total", part.wireBytes);
    this.#add("decoded_bytes_total", part.decodedBytes);
  }

  deleted({ deleted }: Deleted): void {
    this.#add("deletions_total", 1);
    this.#add("sessions_deleted_total", deleted);
  }

  refused({ code }: Refusal): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  /** How long a part took from its headers to its answer. */
  took(seconds: number): void {
    this.#durations++;
    this.#seconds += seconds;
    for (const [n, bound] of BUCKETS.entries()) {
      if (seconds <= bound) this.#buckets[n] = (this.#buckets[n] ?? 0) + 1;
    }
  }

  text(): string {
    const counters = COUNTERS.flatMap(([name, help]) =>
      metric(name, "counter", help, [`${PREFIX}${name} ${this.#counters.get(name)}`]),
    );
    const refusals = Array.from(
      this.#refusals,
      ([code, n]) => `${PREFIX}refusals_total{code="${code}"} ${n}`,
    );
    const gauges = this.#gauges.flatMap(({ name, help, value }) =>
      metric(name, "gauge", help, [`${PREFIX}${name} ${value()}`]),
    );
    return [
      ...counters,
      ...metric("refusals_total", "counter", "Requests refused, by code.", refusals),
      ...metric(
        "part_seconds",
        "histogram",
        "From a part's headers to its answer.",
        this.#histogram(),
      ),
      ...gauges,
      "",
    ].join("\n");
  }

  #histogram(): string[] {
    const name = `${PREFIX}part_seconds`;
    return [
      ...BUCKETS.map((bound, n) => `${name}_bucket{le="${bound}"} ${this.#buckets[n]}`),
      `${name}_bucket{le="+Inf"} ${this.#durations}`,
      `${name}_sum ${this.#seconds}`,
      `${name}_count ${this.#durations}`,
    ];
  }

  #add(name: string, n: number): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + n);
  }
}

function metric(name: string, type: string, help: string, samples: readonly string[]): string[] {
  return [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`, ...samples];
}
