import { Pressure } from "./pressure.ts";
import { Refusal } from "./refusal.ts";
import { overloaded } from "./unavailable.ts";

export interface AdmissionOptions {
  /** Most parts at a time. @default no limit */
  readonly inFlight?: number | undefined;
  /** Most parts in a second for each key, on average; twice as many at once. @default no limit */
  readonly ratePerKey?: number | undefined;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** What is left of one key's rate at an instant. */
interface Allowance {
  readonly parts: number;
  readonly at: number;
}

/** Decides how many parts are taken at a time, and from each key. */
export class Admission {
  readonly #inFlight: number;
  readonly #rate: number;
  readonly #now: () => number;
  readonly #pressure: Pressure;
  readonly #allowances = new Map<string, Allowance>();
  #running = 0;

  constructor({ inFlight, ratePerKey, now = Date.now }: AdmissionOptions = {}) {
    this.#inFlight = inFlight ?? Number.POSITIVE_INFINITY;
    this.#rate = ratePerKey ?? Number.POSITIVE_INFINITY;
    this.#now = now;
    this.#pressure = new Pressure(now);
  }

  /** Parts that are being taken. */
  get running(): number {
    return this.#running;
  }

  /**
   * Lets one part in, until the result is disposed of.
   * @throws {Refusal} `RATE_LIMITED`, `OVERLOADED`
   */
  enter(keyId: string): Disposable {
    if (this.#running >= this.#inFlight) {
      this.#pressure.refused();
      const why = `${this.#inFlight} parts are being taken already`;
      throw overloaded(why, this.#pressure.spread);
    }
    this.#take(keyId);
    this.#running++;
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #leave(): void {
    this.#running--;
    this.#pressure.taken();
  }

  #take(keyId: string): void {
    if (this.#rate === Number.POSITIVE_INFINITY) return;
    const at = this.#now();
    const before = this.#allowances.get(keyId) ?? { parts: this.#burst, at };
    const gained = (Math.max(0, at - before.at) / 1000) * this.#rate;
    const parts = Math.min(this.#burst, before.parts + gained);
    if (parts < 1) throw rateLimited((1 - parts) / this.#rate);
    this.#allowances.set(keyId, { parts: parts - 1, at });
  }

  get #burst(): number {
    return Math.max(1, 2 * this.#rate);
  }
}

function rateLimited(seconds: number): Refusal {
  return new Refusal(429, "RATE_LIMITED", "too many parts came with this key", {
    headers: { "retry-after": String(Math.ceil(seconds)) },
  });
}
