/** A line took longer than it may. */
export class OverrunError extends Error {
  constructor() {
    super("redaction took too long");
    this.name = new.target.name;
  }
}

/** Places of one line that rules look at, at most; see {@link Work.isExhausted}. */
const MAX_LOOKS = 20_000;

/** Pieces of work between two looks at the clock. */
const CHECK_EVERY = 16;

/** What may be spent on one line. */
export class Work {
  readonly #cpuMs: () => number;
  readonly #deadline: number;
  #looks = 0;
  #checks = 0;

  /**
   * @param cpuMs CPU time of this thread: other than by the wall clock, a busy machine ends no line early
   * @param budgetMs what one line may take of it
   */
  constructor(cpuMs: () => number, budgetMs: number) {
    this.#cpuMs = cpuMs;
    this.#deadline = cpuMs() + budgetMs;
  }

  addLooks(count: number): void {
    this.#looks += count;
  }

  /**
   * There are more places to look at than any text has that was not made for it. It depends on the line alone,
   * so that each attempt at it ends the same way.
   */
  get isExhausted(): boolean {
    return this.#looks >= MAX_LOOKS;
  }

  /** Looks at the clock now and then: that takes longer than much of the work. @throws {OverrunError} */
  check(): void {
    if (this.#checks++ % CHECK_EVERY === 0) this.checkClock();
  }

  /** The same at once. @throws {OverrunError} */
  checkClock(): void {
    if (this.#cpuMs() > this.#deadline) throw new OverrunError();
  }
}
