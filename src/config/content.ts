/** How much of a session is sent, from everything to numbers alone. */
export const CONTENT_LEVELS = ["full", "no-tool-output", "text", "metadata"] as const;

export type ContentLevel = (typeof CONTENT_LEVELS)[number];

export interface ContentOptions {
  readonly level: ContentLevel;
  /** Without it, the data of images is left out at every level. */
  readonly images: boolean;
}

/** Whether `level` sends no more than `other` does. */
export function saysNoMore(level: ContentLevel, other: ContentLevel): boolean {
  return CONTENT_LEVELS.indexOf(level) >= CONTENT_LEVELS.indexOf(other);
}

/** The level that sends least. */
export function leastOf(levels: readonly ContentLevel[]): ContentLevel {
  return levels.reduce<ContentLevel>(
    (least, one) => (saysNoMore(one, least) ? one : least),
    "full",
  );
}
