import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, InfluxionError } from "../shared/problem.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate, with those of the authorities between it and a root behind it. */
  readonly cert: string;
  readonly key: string;
}

/** A connection on which nothing moves for this long is closed. */
const IDLE_MS = 120_000;

/** A server of http, or https with a certificate that can be read again. */
export class Listener {
  readonly #server: Server | TlsServer;
  readonly #tls: TlsFiles | undefined;

  private constructor(server: Server | TlsServer, tls: TlsFiles | undefined) {
    this.#server = server;
    this.#tls = tls;
    // A slow uplink may take longer than Node's five minutes per request.
    server.requestTimeout = 0;
    server.setTimeout(IDLE_MS);
  }

  /** @throws {InfluxionError} `RECEIVER_TLS_UNUSABLE` */
  static async create(tls: TlsFiles | undefined, onRequest: RequestListener): Promise<Listener> {
    if (tls === undefined) return new Listener(createServer(onRequest), tls);
    const server = createTlsServer(onRequest);
    const listener = new Listener(server, tls);
    await listener.reloadTls();
    return listener;
  }

  /** Reads the files of the certificate again, for connections from now on. @throws {InfluxionError} `RECEIVER_TLS_UNUSABLE` */
  async reloadTls(): Promise<void> {
    if (this.#tls === undefined || !("setSecureContext" in this.#server)) return;
    const { cert, key } = this.#tls;
    try {
      const [certPem, keyPem] = await Promise.all([readFile(cert), readFile(key)]);
      this.#server.setSecureContext({ cert: certPem, key: keyPem });
    } catch (error) {
      throw new InfluxionError(
        "RECEIVER_TLS_UNUSABLE",
        `${cert} and ${key} cannot be used for TLS (${errnoOf(error) || "unexpected error"}); give a certificate and its key as PEM files`,
        { cause: error },
      );
    }
  }

  /** @throws {InfluxionError} `RECEIVER_PORT_IN_USE`, `RECEIVER_CANNOT_LISTEN` */
  listen(host: string, port: number): Promise<void> {
    return new Promise((done, failed) => {
      const fail = (error: unknown) => failed(listenError(error, host, port));
      this.#server.once("error", fail);
      try {
        this.#server.listen(port, host, () => {
          this.#server.off("error", fail);
          done();
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    const scheme = this.#tls === undefined ? "http" : "https";
    return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  }

  /** Takes no connection any more, and ends those that are there once their requests are done, or after `graceMs`. */
  async close(running: ReadonlySet<Promise<void>>, graceMs: number): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    const grace = new AbortController();
    await Promise.race([
      Promise.all(running),
      sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined),
    ]);
    grace.abort();
    this.#server.closeAllConnections();
    await Promise.all([closed, ...running]);
  }
}

function listenError(error: unknown, host: string, port: number): InfluxionError {
  if (errnoOf(error) === "EADDRINUSE") {
    return new InfluxionError(
      "RECEIVER_PORT_IN_USE",
      `port ${port} on ${host} is in use; stop what uses it, or choose another port (0 picks a free one)`,
      { cause: error },
    );
  }
  return new InfluxionError(
    "RECEIVER_CANNOT_LISTEN",
    `cannot listen on port ${port} of ${host} (${errnoOf(error)}); choose another port (0 picks a free one) or host`,
    { cause: error },
  );
}
