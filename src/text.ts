/** Without control, format or other invisible characters: ids and answers are not ours, and a terminal obeys them. */
export function plain(text: string): string {
  return text.replace(/\p{C}/gu, "?");
}

/** `3.1 kB`: decimal units, as disks and uplinks are sold. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[power]}`;
}

/** `1 session`, `2 sessions` */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** A span of time in its largest unit: `40 s`, `3 min`, `2 h`, `5 days`. */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** An instant as seen from `now`: `3 min ago`, `in 2 h`. */
export function when(instant: number, now: number): string {
  return instant <= now ? `${span(now - instant)} ago` : `in ${span(instant - now)}`;
}
