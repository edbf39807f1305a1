import { type Html, html } from "./html.ts";

/** In units of the picture, which is stretched to the width there is. */
const HEIGHT = 100;
const STEP = 10;
const BAR = 8;

/** There is room for as many bars at least, so that a few do not look like many. */
const SLOTS = 20;

/** A value that is not 0 can be seen. */
const LEAST = 2;

export interface Chart {
  readonly title: string;
  /** The oldest first, each at least 0. */
  readonly values: readonly number[];
  readonly format: (value: number) => string;
  /** Whether each bar is trouble. @default false */
  readonly isBad?: boolean;
}

/** Bars, one for each value; what they say is also in words, for those who cannot see them. */
export function chart({ title, values, format, isBad = false }: Chart): Html {
  const most = values.reduce((max, value) => Math.max(max, value), 0);
  const sum = values.reduce((total, value) => total + value, 0);
  const slots = Math.max(SLOTS, values.length);
  const before = slots - values.length;
  const words = `${title} in the last ${values.length} runs: ${format(sum)} together, ${format(most)} at most in one`;
  return html`<figure>
<figcaption><span>${title}</span><span class="faint">at most ${format(most)}</span></figcaption>
<svg role="img" aria-label="${words}" viewBox="0 0 ${slots * STEP} ${HEIGHT}" preserveAspectRatio="none">
${values.map((value, index) => bar(before + index, most === 0 ? 0 : value / most, isBad))}
</svg>
</figure>`;
}

function bar(index: number, share: number, isBad: boolean): Html | null {
  if (share <= 0) return null;
  const height = Math.max(LEAST, Math.round(share * HEIGHT));
  const x = index * STEP + (STEP - BAR) / 2;
  return html`<rect class="${isBad ? "bar-bad" : "bar"}" x="${x}" y="${HEIGHT - height}" width="${BAR}" height="${height}"/>`;
}
