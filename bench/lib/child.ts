import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export function programPath(name: string): string {
  return fileURLToPath(new URL(`../programs/${name}.ts`, import.meta.url));
}

/** Runs one of `bench/programs` in a process of its own and returns what it printed. */
export async function runProgram<Result>(
  name: string,
  input: unknown,
  nodeOptions: readonly string[] = [],
): Promise<Result> {
  const args = ["--expose-gc", ...nodeOptions, programPath(name), JSON.stringify(input)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`bench/programs/${name}.ts ended with ${code}`);
  return JSON.parse(output) as Result;
}

/** What a program of `bench/programs` was called with. */
export function programInput<Input>(): Input {
  return JSON.parse(process.argv[2] ?? "null") as Input;
}

/** What a program of `bench/programs` says, once. */
export function programResult(result: unknown): void {
  process.stdout.write(JSON.stringify(result));
}
