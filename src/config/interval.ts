const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const FORM = /^(\d+(?:\.\d+)?)\s*([smhd])?$/;

/** A hundred years, in ms: dates go on for longer, but an interval need not. */
const MAX_MS = 100 * 365.25 * UNIT_MS.d;

/**
 * The milliseconds of an interval such as `30s`, `5m`, `1h` or `1d`. A bare number
 * means minutes; 0 means "off". Returns null for anything else.
 */
export function parseInterval(value: string | number): number | null {
  const match = FORM.exec(String(value).trim());
  if (match === null) return null;
  const unit = (match[2] ?? "m") as keyof typeof UNIT_MS;
  const ms = Number(match[1]) * UNIT_MS[unit];
  return ms === 0 ? 0 : Math.min(MAX_MS, Math.max(1, Math.round(ms)));
}
