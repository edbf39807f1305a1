import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../support/postgres.ts";

const PROGRAM = join(import.meta.dirname, "../../dist/cli/receiver/main.js");

export const API_KEY = "key-of-the-fleet";

/** A receiver in a process of its own, which is started again whenever it ends. */
export class ReceiverProcess {
  readonly port: number;
  /** What it said when it ended by itself in a way that was not foreseen. */
  readonly crashes: string[] = [];
  readonly #store: string;
  readonly #flags: readonly string[];
  #child: ChildProcess;
  #running = true;

  private constructor(port: number, store: string, flags: readonly string[]) {
    this.port = port;
    this.#store = store;
    this.#flags = flags;
    this.#child = this.#start();
  }

  static async start(store: string, flags: readonly string[] = []): Promise<ReceiverProcess> {
    const receiver = new ReceiverProcess(await freePort(), store, flags);
    await receiver.#isReady();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    this.#running = false;
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  #start(): ChildProcess {
    const args = [PROGRAM, "--migrate", "--port", String(this.port), ...this.#flags];
    const env = { INFLUXION_RECEIVER_STORE: this.#store, INFLUXION_RECEIVER_KEY: API_KEY };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    child.once("close", () => {
      // A failure that was foreseen, such as a database that is away, is one sentence.
      if (said.includes("\n    at ")) this.crashes.push(said);
      if (this.#running) this.#child = this.#start();
    });
    return child;
  }

  async #isReady(): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(50);
    }
  }
}
