import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const execute = promisify(execFile);

/**
 * Packs the plugin as it would be published, into `folder`. Needs a build.
 * @returns the path of the tarball
 */
export async function packPlugin(folder: string): Promise<string> {
  const args = ["pack", "--ignore-scripts", "--json", "--loglevel=error"];
  const { stdout } = await execute("npm", [...args, "--pack-destination", folder], {
    cwd: REPOSITORY,
    shell: process.platform === "win32",
  });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  if (packed === undefined) throw new Error("npm packed nothing");
  return join(folder, packed.filename);
}
