import type { Headline } from "../run/headline.ts";
import { skippedOf, type UploadState } from "../run/state.ts";
import { plain } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Reasons that sessions fail for which have a series of their own; the others share one. */
const REASONS = 10;

/** Characters of a reason in a label. */
const REASON_LENGTH = 80;

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  /** Undefined where it is not known: there is no sample then. */
  readonly value: number | undefined;
}

type Family = readonly [
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: readonly Sample[],
];

export interface MetricsInput {
  readonly state: UploadState;
  readonly headline: Headline;
  /** ms since the epoch */
  readonly now: number;
}

/** What operators watch, in Prometheus' text format; null where the plugin is not configured. */
export function metricsOf(input: MetricsInput | null): string {
  const info: Family[] = [
    ["info", "gauge", "The plugin's version.", [{ labels: { version: VERSION }, value: 1 }]],
    ["configured", "gauge", "Whether uploads can start.", [{ value: input === null ? 0 : 1 }]],
  ];
  const families =
    input === null ? info : [...info, ...nowFamilies(input), ...totalFamilies(input)];
  return families.map(format).join("");
}

/** What is true now. */
function nowFamilies({ state, headline, now }: MetricsInput): Family[] {
  const { counts, oldestPendingAt: oldest, lastRun, refused } = state;
  const skipped = skippedOf(counts);
  const age = oldest === null ? 0 : Math.max(0, now - oldest) / 1000;
  const received = lastRun?.lastUpload;
  const at = (text: string | undefined): Sample[] => [
    { value: text === undefined ? undefined : Date.parse(text) / 1000 },
  ];
  return [
    ["state", "gauge", "The kind of status' headline.", [one({ state: headline.kind })]],
    ["paused", "gauge", "Whether uploads are paused.", [{ value: state.paused === null ? 0 : 1 }]],
    ["refused", "gauge", "Whether the API refuses the key.", [{ value: refused === null ? 0 : 1 }]],
    [
      "sessions",
      "gauge",
      "Sessions by state.",
      [
        { labels: { state: "uploaded" }, value: counts.uploaded },
        { labels: { state: "waiting" }, value: counts.pending },
        { labels: { state: "excluded" }, value: skipped },
        { labels: { state: "failing" }, value: counts.failing },
      ],
    ],
    ["failing_sessions", "gauge", "Failing sessions by reason.", reasons(state)],
    [
      "waiting_bytes",
      "gauge",
      "Bytes of transcripts to be sent.",
      [{ value: counts.pendingBytes }],
    ],
    ["oldest_waiting_seconds", "gauge", "Age of the oldest line to be sent.", [{ value: age }]],
    [
      "last_receipt_timestamp_seconds",
      "gauge",
      "When the API last took something.",
      at(received?.at),
    ],
    ["last_run_timestamp_seconds", "gauge", "When the last run ended.", at(lastRun?.at)],
    [
      "unconfirmed_deletions",
      "gauge",
      "Deletions to be confirmed by the API.",
      [{ value: state.deletions.length }],
    ],
  ];
}

/** What was done since counting began; kept over restarts. */
function totalFamilies({ state }: MetricsInput): Family[] {
  const totals = state.lastRun?.totals;
  const runs = Object.entries(totals?.runs ?? {}).map(
    ([outcome, value]): Sample => ({ labels: { outcome }, value }),
  );
  return [
    ["runs_total", "counter", "Runs by outcome.", runs],
    ["sent_lines_total", "counter", "Lines that were sent.", [{ value: totals?.lines ?? 0 }]],
    [
      "sent_bytes_total",
      "counter",
      "Bytes of transcripts that were sent.",
      [{ value: totals?.bytes ?? 0 }],
    ],
    [
      "wire_bytes_total",
      "counter",
      "Compressed bytes handed to the network.",
      [{ value: totals?.wireBytes ?? 0 }],
    ],
  ];
}

const one = (labels: Sample["labels"] & object): Sample => ({ labels, value: 1 });

/** The most frequent ones; figures in them would make each one a series of its own. */
function reasons({ failing }: UploadState): Sample[] {
  const counts = new Map<string, number>();
  for (const { reason } of failing) {
    const text = plain(reason).slice(0, REASON_LENGTH).replace(/\d+/g, "N");
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  const others = sorted.slice(REASONS).reduce((sum, [, n]) => sum + n, 0);
  const named = others === 0 ? sorted : [...sorted.slice(0, REASONS), ["other", others] as const];
  return named.map(([reason, value]) => ({ labels: { reason }, value }));
}

function format([name, type, help, samples]: Family): string {
  const full = `influxion_${name}`;
  const lines = samples.flatMap(({ labels = {}, value }) => {
    if (value === undefined || !Number.isFinite(value)) return [];
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return [`${full}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`];
  });
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function escapeLabel(text: string): string {
  return plain(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
