/**
 * Text as a terminal may show it: no control sequences, no invisible or reordering characters.
 * @param mark what stands for each of them
 */
export function plain(text: string, mark = ""): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, mark);
}

/** The same text with what {@link plain} drops in the escapes of JSON, line breaks included. */
export function escapedText(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** The beginning of what somebody else has chosen, such as the API, as a terminal may show it. */
export const quoted = (text: string): string => plain(text.slice(0, 200), "?");

/** JSON as a terminal may show it: the same document, with what {@link plain} drops in escaped form. */
export function plainJson(document: unknown): string {
  // Line breaks are those between members: within a text they are escaped already.
  return JSON.stringify(document, null, 2).replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  return character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

/** Bytes for people, in steps of 1000, as disks and uplinks are sold: `12 B`, `3.1 kB`, `10 kB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = "B";
  for (const next of ["kB", "MB", "GB", "TB"]) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${unit !== "B" && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `1 part`, `2 parts`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** The form that goes with `n`: `was` or `were`. */
export function plural(n: number, one: string, many: string): string {
  return n === 1 ? one : many;
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

/** An instant by the clock of this machine: `14:05`, or `2026-11-29 14:05` on another day than `now`. */
export function clockTime(instant: number, now: number): string {
  const text = localTime(instant);
  const day = localTime(now).slice(0, 10);
  return text.startsWith(day) ? text.slice(11, 16) : text.slice(0, 16);
}

/** `2026-11-29 14:05:00` in the time zone of this machine. */
export function localTime(instant: number): string {
  const date = new Date(instant);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}
