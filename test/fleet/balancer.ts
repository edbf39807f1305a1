import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Dice } from "../soak/dice.ts";

/** Share of the receipts that are lost on their way: their parts come again. */
const LOST_SHARE = 0.03;

/** What has been answered, as somebody sees it who stands between the Gateways and the receivers. */
export interface Seen {
  /** Answers by status; 502 is the balancer's own. */
  readonly statuses: Record<number, number>;
  /** Parts that were confirmed more than once. */
  repeats: number;
  /** What must never happen, in words. */
  readonly violations: string[];
}

/** Gives requests to receivers in turn, and remembers the receipts. */
export class Balancer implements AsyncDisposable {
  readonly seen: Seen = { statuses: {}, repeats: 0, violations: [] };
  readonly #ports: readonly number[];
  readonly #dice: Dice;
  readonly #server: Server;
  /** By idempotency key: the receipt without what is of the moment. */
  readonly #receipts = new Map<string, string>();
  #next = 0;

  private constructor(ports: readonly number[], dice: Dice) {
    this.#ports = ports;
    this.#dice = dice;
    this.#server = createServer((req, res) => this.#forward(req, res));
    this.#server.listen(0, "127.0.0.1");
  }

  static async start(ports: readonly number[], dice: Dice): Promise<Balancer> {
    const balancer = new Balancer(ports, dice);
    await once(balancer.#server, "listening");
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many parts were confirmed. */
  get confirmed(): number {
    return this.#receipts.size;
  }

  #forward(req: IncomingMessage, res: ServerResponse): void {
    const port = this.#ports[this.#next++ % this.#ports.length];
    const { method, url: path, headers } = req;
    const onward = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
    const fail = (): void => {
      if (res.headersSent) res.destroy();
      else this.#answer(res, 502, "");
    };
    onward.on("error", fail);
    onward.on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      answer.on("error", fail);
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        if (status === 200) this.#remember(String(headers["idempotency-key"]), text);
        if (status === 200 && this.#dice.chance(LOST_SHARE)) res.destroy();
        else this.#answer(res, status, text, answer.headers["retry-after"]);
      });
    });
    req.on("error", () => onward.destroy());
    req.pipe(onward);
  }

  #answer(res: ServerResponse, status: number, text: string, retryAfter?: string): void {
    this.seen.statuses[status] = (this.seen.statuses[status] ?? 0) + 1;
    const wait = retryAfter === undefined ? {} : { "retry-after": retryAfter };
    res.writeHead(status, { "content-type": "application/json", ...wait });
    res.end(text);
  }

  #remember(key: string, text: string): void {
    const { newestGeneration: _, ...receipt } = JSON.parse(text);
    const said = JSON.stringify(receipt);
    const before = this.#receipts.get(key);
    if (before !== undefined) this.seen.repeats++;
    if (before !== undefined && before !== said) {
      this.seen.violations.push(`key ${key} was confirmed by two receipts: ${before} and ${said}`);
    }
    this.#receipts.set(key, said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
