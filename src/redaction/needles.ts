import type { Needle, Rule } from "./rule.ts";

/** Bytes that the scanner compares at a time; a shorter needle is lengthened by whatever may stand before it. */
export const WINDOW = 4;

/** A needle as the scanner uses it. */
export interface CompiledNeedle {
  readonly rule: Rule;
  /** For each place, which bytes it may have. */
  readonly tables: readonly Uint8Array[];
  readonly verify: Needle["verify"];
  /** Where its window begins; before the needle itself for one that was lengthened in front. */
  readonly window: number;
  /** The bytes of the window. */
  readonly windowPlaces: readonly (readonly number[])[];
}

/** How many pairs of bytes are told from each other. */
export const PAIRS = 1 << 14;

/** A pair as an index, seven bits of each byte, so that tables of all pairs stay in the cache. */
export function pairOf(first: number, second: number): number {
  return (first & 127) | ((second & 127) << 7);
}

/**
 * The most frequent pairs of bytes in transcripts, most frequent first, measured in those of
 * bench/corpus.ts and in code and documents as lines of JSON.
 */
const FREQUENT =
  '  \\nn ere reonsein--r esantht s  tenortistte a-ratntarushe ude\\" sd  pn\\le\\tro 1edcoio rr- cal, ndpaisrtt\\et iitmeng:  onspetavegetrriecnetoctea facy n-1 ;\\- litsouunchssomascerat-ilurlaelut n mllncma wag b \\fiw-s. eolrw J `haJa dca {pr. naexodidopl sidi =soiclug hiadnooopoimplsa 2":= ptulamlogimpfo) efo ue{\\e.tuot.\\,\\ows\\rsai.tketyf  lckhoig",h epxtrrclvi`  (berya abrnmo }yp || emvaayovfaruifltmiReirivausublieaply hupCow **d\\shdaug}\\osoc==nilscrspt.tc,"bowaof:"e\\m .mokqueee,ewjsnfdo vevba);nnaw"t P``wiwhtt"';

/** The same of single characters. */
const COMMON = ` entrasoi\\l-dcuphm.gf"1w:y,b\`v2)(k0=3/546x;}8C7{9PSTI*AJREO_|jDML>N'[q]?GHUF#<BWz$KV&!QY+ZX@%~^`;

/** About how often each character is met, in parts of all: what a curve through the figures gives for its rank. */
const single = new Float64Array(128);
for (const [rank, character] of [...COMMON].entries()) {
  single[character.charCodeAt(0)] = 0.07 * Math.exp(-rank / 16);
}

/** Of pairs as well; what is not among the frequent ones is less frequent than chance would have it. */
const frequency = Float64Array.from({ length: PAIRS }, (_, pair) => {
  return 0.5 * (single[pair & 127] ?? 0) * (single[pair >> 7] ?? 0) + 0.000_05;
});
for (let at = 0; at + 1 < FREQUENT.length; at += 2) {
  frequency[pairOf(FREQUENT.charCodeAt(at), FREQUENT.charCodeAt(at + 1))] = 0.3 / (at / 2 + 25);
}

/** Each byte, as far as the scanner tells them from each other. */
const ANY = [...Array(128).keys()];

export function compileNeedle(rule: Rule, { text, fold = false, verify }: Needle): CompiledNeedle {
  const places = placesOf(text, fold);
  const tables = places.map(tableOf);
  const [window, windowPlaces] = rarestWindow(places);
  return { rule, tables, verify, window, windowPlaces };
}

function placesOf(text: string, fold: boolean): number[][] {
  return [...text.matchAll(/\[([^\]]+)\]|[^[]/gs)].map(([literal, members]) => {
    if (members === undefined) return casesOf(literal, fold);
    const expression = new RegExp(`^[${members}]$`);
    return [...Array(128).keys()].filter((byte) => expression.test(String.fromCharCode(byte)));
  });
}

function casesOf(character: string, fold: boolean): number[] {
  const cases = fold ? [character.toLowerCase(), character.toUpperCase()] : [character];
  return [...new Set(cases)].map((one) => one.charCodeAt(0));
}

/** Each is made once: all needles have a hundred of them in common. */
const TABLES = new Map<string, Uint8Array>();

function tableOf(place: readonly number[]): Uint8Array {
  const key = place.join();
  const known = TABLES.get(key);
  if (known !== undefined) return known;
  const table = new Uint8Array(256);
  for (const byte of place) table[byte] = 1;
  TABLES.set(key, table);
  return table;
}

/** The window at which the scanner has to stop least often, and where it begins. */
function rarestWindow(places: number[][]): [at: number, window: number[][]] {
  // One more than is missing in front: the byte before may make the last pair a rarer one.
  const missing = Math.max(1, WINDOW - places.length);
  const padded = [...Array<number[]>(missing).fill(ANY), ...places];
  const shares = padded.slice(1).map((seconds, at) => shareOf(padded[at] ?? [], seconds));
  let best: [cost: number, at: number] = [Number.POSITIVE_INFINITY, 0];
  for (let at = 0; at + WINDOW <= padded.length; at++) {
    const cost = WEIGHTS.reduce((sum, weight, pair) => sum + weight * (shares[at + pair] ?? 0), 0);
    if (cost < best[0]) best = [cost, at];
  }
  return [best[1] - missing, padded.slice(best[1], best[1] + WINDOW)];
}

/** What each pair of a window costs when it is met: a short step, a shorter one, a look at the needle. */
const WEIGHTS = [0.3, 0.6, 4] as const;

/** How many of all pairs of bytes are of these. */
function shareOf(firsts: readonly number[], seconds: readonly number[]): number {
  let share = 0;
  for (const first of firsts) {
    for (const second of seconds) share += frequency[pairOf(first, second)] ?? 0;
  }
  return share;
}
