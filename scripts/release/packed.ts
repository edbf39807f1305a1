import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { packPlugin } from "../../test/support/openclaw-package.ts";

export const REPOSITORY = resolve(import.meta.dirname, "../..");

const execute = promisify(execFile);

/** What the checks read of `package.json`. */
export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** The plugin as it would be published, packed and unpacked. */
export class Packed {
  readonly tarball: string;
  /** Where it is unpacked. */
  readonly dir: string;
  /** Relative to {@link dir}, with slashes, sorted. */
  readonly files: readonly string[];
  readonly json: PackageJson;

  private constructor(tarball: string, dir: string) {
    this.tarball = tarball;
    this.dir = dir;
    const found = globSync("**/*", { cwd: dir, withFileTypes: true });
    this.files = found
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
      .map((path) => path.replaceAll("\\", "/"))
      .sort();
    this.json = JSON.parse(this.text("package.json")) as PackageJson;
  }

  /** Needs a build. @param folder which is the caller's to remove */
  static async into(folder: string): Promise<Packed> {
    const tarball = await packPlugin(folder);
    await execute("tar", ["-xzf", tarball, "-C", folder]);
    const packed = new Packed(tarball, join(folder, "package"));
    // What an install would put there.
    await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"), "junction");
    return packed;
  }

  text(path: string): string {
    return readFileSync(join(this.dir, path), "utf8");
  }

  /** The files that Node runs. */
  get programs(): readonly string[] {
    return this.files.filter((path) => path.startsWith("dist/") && path.endsWith(".js"));
  }
}
