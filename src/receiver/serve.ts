import type { IncomingMessage, ServerResponse } from "node:http";
import type { Coding } from "../protocol/wire.ts";
import { plain } from "../shared/text.ts";
import type { Access } from "./access.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import type { Backend } from "./backend.ts";
import { CODINGS } from "./codings.ts";
import { describeDeletion } from "./deletion.ts";
import { describe } from "./format.ts";
import { createHandler, type Handler } from "./handler.ts";
import { PART_LIMITS, type PartLimits } from "./limits.ts";
import { Listener, type TlsFiles } from "./listener.ts";
import { type Gauge, Metrics } from "./metrics.ts";
import { createOps } from "./ops.ts";
import type { Refusal } from "./refusal.ts";

export const DEFAULT_PORT = 8787;
const LOOPBACK = "127.0.0.1";

/** What does not depend on where parts are kept. */
export interface ServeOptions extends AdmissionOptions {
  /** Anything but a loopback address lets other machines in. @default "127.0.0.1" */
  readonly host?: string | undefined;
  /** 0 picks a free one. @default 8787 */
  readonly port?: number | undefined;
  /** Content codings that are taken and advertised; a body without one always is. @default zstd and gzip */
  readonly codings?: readonly Coding[] | undefined;
  /** @default what the wire contract allows a part to be */
  readonly limits?: Partial<PartLimits> | undefined;
  /** Speaks https with this certificate. @default plain http */
  readonly tls?: TlsFiles | undefined;
  /** Gets one line for each part, deletion or refusal; without control characters, secrets and content. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Where parts are kept, and what goes with it. */
export interface Kept {
  readonly backend: Backend;
  readonly access: Access;
  /** How long requests may go on after `close()` before their connections are destroyed, in ms. */
  readonly graceMs: number;
  /** Fails when parts cannot be stored now. @default never */
  readonly check?: () => Promise<void>;
  readonly gauges?: readonly Gauge[];
  readonly onRefused?: (refusal: Refusal) => void;
}

export interface Service {
  /** What a client's `apiUrl` must be. */
  readonly url: string;
  /** Reads the files of the certificate again. @throws {InfluxionError} `RECEIVER_TLS_UNUSABLE` */
  reloadTls(): Promise<void>;
  /** A request that is cut by it is not stored. */
  close(): Promise<void>;
}

/**
 * Takes parts over HTTP. When it is closed, so is the backend.
 * @throws {InfluxionError} `RECEIVER_PORT_IN_USE`, `RECEIVER_CANNOT_LISTEN`, `RECEIVER_TLS_UNUSABLE`
 */
export async function serve(kept: Kept, options: ServeOptions): Promise<Service> {
  const running = new Set<Promise<void>>();
  const closing = new AbortController();
  const handle = requestHandler(kept, options, closing.signal);
  const listener = await Listener.create(options.tls, (req, res) => {
    const request = handle(req, res).finally(() => running.delete(request));
    running.add(request);
  });
  await listener.listen(options.host ?? LOOPBACK, options.port ?? DEFAULT_PORT);
  let closed: Promise<void> | undefined;
  return {
    url: listener.url,
    reloadTls: () => listener.reloadTls(),
    close() {
      closing.abort();
      closed ??= listener.close(running, kept.graceMs).then(() => kept.backend.close());
      return closed;
    },
  };
}

/** Answers every request: the promise ends when the answer is out, and never fails. */
function requestHandler(kept: Kept, options: ServeOptions, closing: AbortSignal): Handler {
  const admission = new Admission(options);
  const metrics = new Metrics([
    { name: "parts_in_flight", help: "Parts being taken.", value: () => admission.running },
    ...(kept.gauges ?? []),
  ]);
  const take = partHandler(kept, options, { admission, metrics });
  const check = async (): Promise<void> => {
    if (closing.aborted) throw new Error("it is being stopped");
    await kept.check?.();
  };
  const ops = createOps({ metrics, check });
  return async (req: IncomingMessage, res: ServerResponse) => {
    if (await ops(req, res)) return;
    const start = performance.now();
    await take(req, res);
    if (req.method !== "DELETE") metrics.took((performance.now() - start) / 1000);
  };
}

function partHandler(
  { backend, access, onRefused }: Kept,
  { codings = CODINGS, limits, log = () => undefined }: ServeOptions,
  { admission, metrics }: { readonly admission: Admission; readonly metrics: Metrics },
): Handler {
  return createHandler(backend, {
    access,
    admission,
    codings,
    limits: { ...PART_LIMITS, ...limits },
    onStored(part, stored) {
      metrics.stored(part, stored);
      log(describe(part, stored));
    },
    onDeleted(deletion, deleted) {
      metrics.deleted(deleted);
      log(describeDeletion(deletion, deleted));
    },
    onRefused(refusal) {
      metrics.refused(refusal);
      onRefused?.(refusal);
      log(`refused with ${refusal.status} ${refusal.code}: ${plain(refusal.message)}`);
    },
  });
}
