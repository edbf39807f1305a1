import type { View } from "./view.ts";

/** A secret that was found, and nothing around it. */
export interface Span {
  /** In characters of what was searched. */
  readonly start: number;
  readonly end: number;
  /** Id of the rule. */
  readonly rule: string;
}

/** What a rule looks at. */
export interface Subject extends View {
  /** The string of JSON ends where the text does, as opposed to the piece that was cut out of it. */
  readonly ends: boolean;
}

/** A text that announces what a rule may find: the scanner looks for these and nothing else. */
export interface Needle {
  /**
   * The text; `[0-9a]` is one character of several. Of two characters or more, of which few
   * should be frequent.
   */
  readonly text: string;
  /** In any case. */
  readonly fold?: boolean;
  /**
   * A quick look at the bytes around the needle, which may let too much pass, never too little:
   * what it sees can still have escapes in it.
   *
   * @param at offset of the needle
   * @param end offset of what follows it
   */
  readonly verify: (bytes: Uint8Array, at: number, end: number) => boolean;
}

export interface Rule {
  /** Also what stands in the place of the secret, as `[redacted:id]`. */
  readonly id: string;
  /** Where the form of the secret is documented. */
  readonly source: string;
  readonly needles: readonly Needle[];
  /** How many characters behind the needle it may have to see. */
  readonly reach: number;
  /**
   * Rules that know what they found by its own form win over those that know it by its name.
   */
  readonly generic?: boolean;
  /** Its expression, so that a change of it is a change of what is done. */
  readonly form?: string;
  /** What is found at a needle. @param at offset of the needle in the text */
  find(subject: Subject, at: number): readonly Span[];
}

/** What stands in the place of a secret. */
export const marker = (rule: string): string => `[redacted:${rule}]`;

export const NOTHING: readonly Span[] = [];

/** Says that the secret, if it is one, goes on behind what was shown: the rule wants to see more than it asked for. */
export const MORE: readonly Span[] = [];
