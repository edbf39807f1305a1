import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** An address that leads to a server on this machine, of which a test can change what it answers. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** What becomes of each chunk from the server. @default it is passed on */
  answer: (chunk: Buffer) => Buffer;
  /** Ends all connections. */
  cut(): void;
}

/** @param target the server's port, for each connection */
export async function startRelay(target: () => number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target(), "127.0.0.1");
    const answers = new Transform({
      transform: (chunk: Buffer, _, done) => done(null, relay.answer(chunk)),
    });
    client.pipe(upstream).pipe(answers).pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const relay: Relay = {
    port: (server.address() as AddressInfo).port,
    answer: (chunk) => chunk,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((done) => server.close(done));
    },
  };
  return relay;
}
