import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { API_KEY } from "./lab.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const execute = promisify(execFile);

export interface ChildRun {
  readonly stateDir: string;
  readonly apiUrl: string;
  /** Built code to run. @default the project's own */
  readonly dist?: string;
  /** Options for node itself. */
  readonly flags?: readonly string[];
  /** Beside PATH and HOME, all of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** More of the plugin's config. */
  readonly config?: object;
}

/** One run of the built plugin in a process of its own; see run-once.ts. */
export async function runChild({
  stateDir,
  apiUrl,
  dist = join(REPOSITORY, "dist"),
  flags = [],
  env = {},
  config = {},
}: ChildRun): Promise<Record<string, unknown>> {
  const program = join(import.meta.dirname, "run-once.ts");
  const { PATH = "", HOME = "" } = process.env;
  const { stdout } = await execute(
    process.execPath,
    [...flags, program, dist, stateDir, apiUrl, API_KEY, JSON.stringify(config)],
    { env: { PATH, HOME, ...env } },
  );
  return JSON.parse(stdout);
}
