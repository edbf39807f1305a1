import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";

const REPOSITORY = resolve(import.meta.dirname, "../..");

/** The last release that keeps transcripts as JSONL files. */
export const JSONL_VERSION = "2026.7.35";

/** Today's release, which keeps them in SQLite. */
export const SQLITE_VERSION = "2026.9.6";

/** An installed OpenClaw. */
export interface OpenClawHost {
  readonly version: string;
  /** The script that is the command `openclaw`. */
  readonly entry: string;
}

/** The OpenClaw of that version, installed once into `.cache/openclaw/<version>`, which takes a minute. */
export async function openclawHost(version: string): Promise<OpenClawHost> {
  const cached = join(REPOSITORY, ".cache/openclaw", version);
  if (!(await exists(cached))) await install(version, cached);
  return { version, entry: join(cached, "node_modules/openclaw/openclaw.mjs") };
}

/**
 * The OpenClaw of the devDependencies: there at once, but maybe without the parts that
 * {@link openclawHost} has. Enough to talk and to upload.
 */
export async function ownOpenclawHost(): Promise<OpenClawHost> {
  const entry = createRequire(import.meta.url).resolve("openclaw/cli-entry");
  const manifest = await readFile(join(dirname(entry), "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  return { version, entry };
}

/** Installs beside `folder` and renames, so that an interrupted install is never mistaken for a good one. */
async function install(version: string, folder: string): Promise<void> {
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  // Without a package.json of its own npm would install into the repository.
  await writeFile(join(temporary, "package.json"), '{ "private": true }\n');
  const flags = ["--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  // An npm that an older Node runs leaves out, without a word, optional packages that ask for a
  // newer one: the host's doctor cannot do without its native one. So npm runs under the host's Node.
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const npm = spawn("npm", ["install", ...flags, `openclaw@${version}`], {
    cwd: temporary,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  const [code] = await once(npm, "close");
  if (code !== 0) throw new Error(`npm could not install openclaw@${version} (exit code ${code})`);
  try {
    await rename(temporary, folder);
  } catch (error) {
    // Another process was faster.
    if (!(await exists(folder))) throw error;
    await rm(temporary, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
