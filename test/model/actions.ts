import fc from "fast-check";
import type { Treatment } from "./ingest.ts";

/** What a host does to one session. `fresh`: moments before the next run looks. */
export type FileAction =
  | { readonly kind: "append"; readonly sizes: readonly number[] }
  | { readonly kind: "blank"; readonly count: number }
  /** Writes this share of a line; the next action writes the rest. */
  | { readonly kind: "tear"; readonly share: number }
  /** Everything of a line but its newline. */
  | { readonly kind: "noNewline" }
  /** Truncates, and has come this far with writing the same bytes when the next run looks. */
  | { readonly kind: "rewriteSame"; readonly share: number }
  | { readonly kind: "rewriteOther"; readonly keep: number }
  | { readonly kind: "truncate"; readonly keep: number }
  /** Changes an earlier line without changing any length. */
  | { readonly kind: "edit"; readonly line: number }
  /** `late`: the archive is out of sight until it is revealed. */
  | { readonly kind: "reset"; readonly anew: boolean; readonly late: boolean }
  | { readonly kind: "reveal" }
  /** The file is out of sight until it is written to again; only an archive can come to light meanwhile. */
  | { readonly kind: "away" }
  | { readonly kind: "remove" };

export interface Write {
  readonly kind: "write";
  readonly session: number;
  readonly action: FileAction;
  readonly fresh: boolean;
}

export interface Run {
  readonly kind: "run";
  /** How its requests are treated, in order; the last one goes on. */
  readonly treatments: readonly Treatment[];
  readonly retryAttempts: number;
  readonly maxBytesPerRun: number;
  /** Killed when this request has arrived: what was recorded later is lost, and what was sent later never was. */
  readonly killedAt: number | null;
  /** Happens while the first request is under way. */
  readonly meanwhile: Write | null;
}

/** Time enough for everything to come to rest. */
export interface Wait {
  readonly kind: "wait";
}

export type Step = Write | Run | Wait;

const fileAction: fc.Arbitrary<FileAction> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      sizes: fc.array(fc.integer({ min: 0, max: 250 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({ kind: fc.constant("blank" as const), count: fc.integer({ min: 1, max: 2 }) }),
  fc.record({
    kind: fc.constant("tear" as const),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.constant({ kind: "noNewline" as const }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("rewriteSame" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  fc.record({ kind: fc.constant("rewriteOther" as const), keep: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ kind: fc.constant("truncate" as const), keep: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ kind: fc.constant("edit" as const), line: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant("reset" as const), anew: fc.boolean(), late: fc.boolean() }),
  fc.constant({ kind: "reveal" as const }),
  fc.constant({ kind: "away" as const }),
  fc.constant({ kind: "remove" as const }),
);

const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.constant("write" as const),
  session: fc.integer({ min: 0, max: 2 }),
  action: fileAction,
  fresh: fc.boolean(),
});

const treatment: fc.Arbitrary<Treatment> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: "ok" as const }) },
  fc.constant({ kind: "unavailable" as const }),
  fc.constant({ kind: "drop" as const }),
  fc.record({ kind: fc.constant("limit" as const), bytes: fc.integer({ min: 700, max: 2000 }) }),
);

const run: fc.Arbitrary<Run> = fc.record({
  kind: fc.constant("run" as const),
  treatments: fc.array(treatment, { minLength: 1, maxLength: 4 }),
  retryAttempts: fc.integer({ min: 0, max: 2 }),
  maxBytesPerRun: fc.constantFrom(1, 300, 10_000, 10_000_000),
  killedAt: fc.option(fc.integer({ min: 0, max: 3 })),
  meanwhile: fc.option(write, { freq: 4 }),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: write },
    { weight: 4, arbitrary: run },
    { weight: 1, arbitrary: fc.constant<Wait>({ kind: "wait" }) },
  ),
  { minLength: 2, maxLength: 14 },
);
