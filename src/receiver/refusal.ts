import type { Code } from "../shared/codes.ts";
import { InfluxionError } from "../shared/problem.ts";

/** Why a part was not taken. The message is sent to the client, so it never quotes a body. */
export class Refusal extends InfluxionError {
  /** The HTTP status of the answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: Code,
    message: string,
    options: ErrorOptions & { headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message, options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}
