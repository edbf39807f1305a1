import { Redactor, type RedactorOptions } from "../../src/redaction/redactor.ts";

export const SECRET = Buffer.alloc(32, 7);

export const redactor = (options: Partial<RedactorOptions> = {}): Redactor =>
  new Redactor({ identitySecret: SECRET, ...options });

const plain = redactor();

export interface Outcome {
  readonly text: string;
  readonly rules: readonly string[];
  readonly findings: readonly {
    readonly rule: string;
    readonly start: number;
    readonly end: number;
  }[];
  readonly omitted: string | undefined;
}

/** One line alone in its block. */
export async function redactLine(line: string, by: Redactor = plain): Promise<Outcome> {
  const block = Buffer.from(line);
  const { bytes, changed } = await by.redact(block, [0, block.length]);
  const findings = changed[0]?.findings ?? [];
  return {
    text: bytes.toString(),
    rules: findings.map(({ rule }) => rule),
    findings,
    omitted: changed[0]?.omitted,
  };
}

/** How a text may be written in a line: with the escapes of JSON up to three times, and percent-encoded. */
export function formsOf(text: string): string[] {
  const once = JSON.stringify(text).slice(1, -1);
  const twice = JSON.stringify(once).slice(1, -1);
  return [text, once, twice, JSON.stringify(twice).slice(1, -1), encodeURIComponent(text)];
}
