import { InfluxionError } from "../shared/problem.ts";

/**
 * What the kernel may hold of a body that was handed to it, in bytes (tcp(7), tcp_wmem).
 * Nothing reports when it leaves, so the idle limit grows with it, up to four times
 * `upload.timeoutMs`: a slow uplink that makes progress is no failure.
 */
const KERNEL_BYTES = 4 * 1024 * 1024;
const MOST_PATIENCE = 4;

/** No byte moved and no answer came for `upload.timeoutMs`, or longer while some may still have been on their way. */
class IdleTimeoutError extends InfluxionError {
  constructor(ms: number, during: string) {
    super("IDLE_TIMEOUT", `nothing moved for ${ms} ms while ${during}`);
  }
}

/** Aborts its signal when nothing moved for `ms`, or longer while what was handed over may still be moving. */
export class IdleWatch {
  readonly #abort = new AbortController();
  readonly #ms: number;
  #timer: NodeJS.Timeout;
  #limit: number;
  #handed = 0;
  #during: string;

  constructor(ms: number, during: string) {
    this.#during = during;
    this.#ms = ms;
    this.#limit = ms;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  moved(during: string): void {
    this.#during = during;
    this.#timer.refresh();
  }

  /** So many more bytes are with the kernel. */
  handed(bytes: number): void {
    this.#during = "sending the part";
    this.#handed += bytes;
    const share = Math.min(1, this.#handed / KERNEL_BYTES);
    this.#limit = Math.round(this.#ms * (1 + (MOST_PATIENCE - 1) * share));
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#abort.abort(new IdleTimeoutError(this.#limit, this.#during));
    }, this.#limit);
  }

  /** After this the signal never fires. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
