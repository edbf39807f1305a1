/** How often the main thread is looked at, in ms. */
const TICK_MS = 1;

/** The main thread's CPU between two turns of the event loop, in ms, as long as it is not disposed. */
export class Turns implements Disposable {
  readonly ms: number[] = [];
  readonly #ticker: NodeJS.Timeout;
  #last = process.threadCpuUsage();

  constructor() {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticker);
  }

  #tick(): void {
    const { user, system } = process.threadCpuUsage(this.#last);
    this.#last = process.threadCpuUsage();
    this.ms.push((user + system) / 1000);
  }
}
