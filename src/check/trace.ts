import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** What is shown of the certificate of a server. */
export interface Certificate {
  /** Who it is for and who issued it, by common name or organisation. */
  readonly subject: string;
  readonly issuer: string;
  /** ms since the epoch */
  readonly validTo: number;
}

/** How far a connection to the API came. */
export interface Trace {
  /** What the host's name led to. */
  readonly addresses: string[];
  connected: { readonly address: string; readonly port: number; readonly ms: number } | null;
  certificate: Certificate | null;
  isSecure: boolean;
}

/** Follows the connections that it is shown; `onSocket` goes to the client that makes them. */
export function traceConnections(): { trace: Trace; onSocket: (socket: Socket) => void } {
  const trace: Trace = { addresses: [], connected: null, certificate: null, isSecure: false };
  const onSocket = (socket: Socket): void => {
    const start = performance.now();
    socket.on("lookup", (error: Error | null, address: string) => {
      if (error === null) trace.addresses.push(address);
    });
    socket.once("connect", () => {
      const { remoteAddress: address = "", remotePort: port = 0 } = socket;
      trace.connected = { address, port, ms: Math.round(performance.now() - start) };
    });
    if (!(socket instanceof TLSSocket)) return;
    // Before Node judges the certificate: afterwards that of a refused one is gone.
    socket.prependOnceListener("secure", () => {
      trace.certificate = certificateOf(socket);
    });
    socket.once("secureConnect", () => {
      trace.isSecure = true;
    });
  };
  return { trace, onSocket };
}

function certificateOf(socket: TLSSocket): Certificate | null {
  const { subject, issuer, valid_to } = socket.getPeerCertificate() ?? {};
  if (valid_to === undefined) return null;
  return { subject: nameOf(subject), issuer: nameOf(issuer), validTo: Date.parse(valid_to) };
}

function nameOf(name: { readonly CN?: unknown; readonly O?: unknown } | undefined): string {
  return [name?.CN, name?.O].flat().find((text) => typeof text === "string") ?? "an unnamed one";
}
