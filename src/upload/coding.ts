import type { Coding } from "../protocol/wire.ts";
import type { Layer } from "./send.ts";

/** What is known of a destination: that it takes zstd, or that it refused what it had said it takes. */
export type KnownCoding = Coding | undefined;

/**
 * Which content coding the next part has: gzip until a receipt says that the API takes
 * zstd, and gzip again, for good, when it then refuses it: trying twice would send twice.
 */
export class CodingChoice {
  #known: KnownCoding;

  /** @param known what was known at the end of the last run */
  constructor(known: KnownCoding) {
    this.#known = known;
  }

  get known(): KnownCoding {
    return this.#known;
  }

  get next(): Coding {
    return this.#known ?? "gzip";
  }

  /** Takes in the `Accept-Encoding` of a receipt; without one nothing is learnt (RFC 9110, 12.5.3). */
  advertised(acceptEncoding: string | undefined): void {
    if (acceptEncoding === undefined || this.#known === "gzip") return;
    this.#known = takesZstd(acceptEncoding) ? "zstd" : undefined;
  }

  /** A part was refused in zstd, and then taken in gzip. */
  refused(): void {
    this.#known = "gzip";
  }
}

/**
 * Sends each part in the coding that is known to be taken. One that is refused as zstd goes as
 * gzip at once: it may be the coding, whatever the status says, since not everything between
 * here and the API knows zstd.
 */
export function fallingBack(codings: CodingChoice): Layer {
  return (send) => async (source) => {
    const coding = codings.next;
    let outcome = await send(source, coding);
    const isRefused =
      coding === "zstd" && (outcome.kind === "backoff" || outcome.kind === "not-found");
    if (isRefused) outcome = await send(source, "gzip");
    if (outcome.kind === "delivered") codings.advertised(outcome.acceptEncoding);
    if (outcome.kind === "delivered" && isRefused) codings.refused();
    return outcome;
  };
}

/** Whether zstd is named and not excluded by a weight of 0. `*` names what nobody has to know. */
function takesZstd(acceptEncoding: string): boolean {
  return acceptEncoding
    .split(",")
    .map((item) => item.split(";").map((part) => part.trim().toLowerCase()))
    .some(([name, ...weights]) => name === "zstd" && !weights.some((w) => /^q=0(\.0*)?$/.test(w)));
}
