import { spawn } from "node:child_process";
import { once } from "node:events";
import { programPath } from "./child.ts";

/** What a sink has taken since it was last asked. */
export interface SinkCounts {
  readonly requests: number;
  readonly wireBytes: number;
}

export interface SinkOptions {
  /** What its receipts have as `Accept-Encoding`, e.g. `zstd`. @default none, as an API that never heard of it */
  readonly advertise?: string;
}

/** A server in a process of its own that answers receipts and keeps nothing. */
export interface Sink extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  takeCounts(): Promise<SinkCounts>;
}

export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const child = spawn(process.execPath, [programPath("sink"), JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the sink could not be started");
  const [first] = (await once(child.stdout, "data")) as [Buffer];
  const url = `http://127.0.0.1:${Number(first.toString())}`;
  return {
    url,
    pid,
    async takeCounts() {
      const response = await fetch(`${url}/counts`);
      return (await response.json()) as SinkCounts;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}
