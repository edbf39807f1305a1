import { mask } from "./mask.ts";
import type { ChangedLine, Redactor } from "./redactor.ts";
import { marker } from "./rule.ts";

/** A secret that was found in a line, as it may be shown on this machine. */
export interface FoundSecret {
  readonly rule: string;
  /** See {@link mask}. */
  readonly masked: string;
  /** Where its marker begins, in bytes of the line as it is now. */
  readonly at: number;
  readonly marker: string;
}

export interface ObservedLine {
  /** In the order of the text. */
  readonly secrets: readonly FoundSecret[];
  /** See {@link ChangedLine}. */
  readonly omitted: ChangedLine["omitted"];
}

/** What a body takes as its redactor. */
export type Redacting = Pick<Redactor, "redact">;

/**
 * The redactor of one body, which also reports what it found.
 *
 * @param onLine notified of each line that is not sent as it was; `index` counts the lines of the body from 0
 */
export function observed(
  redactor: Redacting,
  onLine: (index: number, line: ObservedLine) => void,
): Redacting {
  let before = 0;
  return {
    async redact(block, payloads) {
      const redacted = await redactor.redact(block, payloads);
      for (const line of redacted.changed) {
        const start = payloads[line.index * 2] ?? 0;
        const secrets = secretsOf(line, (from, to) =>
          block.toString("utf8", start + from, start + to),
        );
        onLine(before + line.index, { secrets, omitted: line.omitted });
      }
      before += payloads.length / 2;
      return redacted;
    },
  };
}

function secretsOf(
  { findings }: ChangedLine,
  textOf: (start: number, end: number) => string,
): FoundSecret[] {
  let shift = 0;
  return findings.map(({ rule, start, end }) => {
    const text = marker(rule);
    const at = start + shift;
    shift += text.length - (end - start);
    return { rule, masked: mask(textOf(start, end)), at, marker: text };
  });
}
