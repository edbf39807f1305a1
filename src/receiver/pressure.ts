/** Refusals and parts taken count half as much after this time, in ms. */
const HALF_LIFE_MS = 10_000;

/** Bounds of the longest `Retry-After`, in seconds. Above five minutes a client ends its run instead of waiting. */
const LEAST_SPREAD_S = 10;
const MOST_SPREAD_S = 240;

/**
 * Over how many seconds clients that are refused are to come back. When many times as many are
 * refused as are taken, as after a restart of everything, asking again within seconds would only
 * have them refused again.
 */
export class Pressure {
  readonly #now: () => number;
  #refused = 0;
  #taken = 0;
  #at: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  refused(): void {
    this.#fade();
    this.#refused++;
  }

  taken(): void {
    this.#fade();
    this.#taken++;
  }

  /** In seconds. */
  get spread(): number {
    this.#fade();
    const seconds = LEAST_SPREAD_S * (this.#refused / Math.max(1, this.#taken));
    return Math.min(MOST_SPREAD_S, Math.max(LEAST_SPREAD_S, seconds));
  }

  #fade(): void {
    const now = this.#now();
    const share = 0.5 ** (Math.max(0, now - this.#at) / HALF_LIFE_MS);
    this.#refused *= share;
    this.#taken *= share;
    this.#at = now;
  }
}
