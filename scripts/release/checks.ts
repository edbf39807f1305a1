import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { homedir } from "node:os";
import { dirname, join, posix } from "node:path";
import { promisify } from "node:util";
import { type Packed, REPOSITORY } from "./packed.ts";

const execute = promisify(execFile);

/** Most of a package, in bytes: packed, and with its files unpacked. */
const MAX_PACKED = 1_000_000;
const MAX_UNPACKED = 3_000_000;

/** Packed beside `src`, `dist` and `docs`. */
const SINGLE_FILES = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "assets/icon.png",
  "assets/icon.svg",
  "openclaw.plugin.json",
  "package.json",
];

/** What is wrong with a package, one sentence each. */
type Check = (packed: Packed) => readonly string[] | Promise<readonly string[]>;

/** In the order in which they are reported. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "the files are those that belong there": files,
  "it is small": size,
  "what is imported is declared, and what is declared is imported": imports,
  "nothing of this machine is in it": localPaths,
  "source maps lead somewhere": sourceMaps,
  "the licence is the one that is declared": licence,
  "the version is the same everywhere, and in the changelog": version,
  "its programs run": programs,
  "the manifest is that of this package": manifest,
  "OpenClaw's inspector finds nothing": inspector,
  "of a whole checkout no more than that would be published": ignored,
};

async function tracked(): Promise<string[]> {
  const { stdout } = await execute("git", ["ls-files"], { cwd: REPOSITORY });
  return stdout.split("\n").filter((path) => path !== "");
}

async function files(packed: Packed): Promise<string[]> {
  const repository = await tracked();
  const within = (folder: string) => repository.filter((path) => path.startsWith(`${folder}/`));
  const built = within("src")
    .filter((path) => !path.endsWith(".d.ts"))
    .map((path) => path.replace(/^src\//, "dist/").replace(/\.ts$/, ".js"));
  const chunks = packed.programs
    .flatMap((path) => importsOf(packed, path))
    .filter((target) => target.startsWith("dist/chunks/"));
  const sources = [...within("src"), ...within("docs")];
  const wanted = new Set([...SINGLE_FILES, ...sources, ...built, ...chunks]);
  const found = new Set(packed.files);
  return [
    ...[...wanted].filter((path) => !found.has(path)).map((path) => `${path} is missing`),
    ...[...found]
      .filter((path) => !wanted.has(path))
      .map((path) => `${path} does not belong there`),
  ];
}

function size({ tarball, dir, files: all }: Packed): string[] {
  const packed = statSync(tarball).size;
  const unpacked = all.reduce((sum, path) => sum + statSync(join(dir, path)).size, 0);
  return [
    ...(packed > MAX_PACKED ? [`${packed} bytes packed, at most ${MAX_PACKED} are meant`] : []),
    ...(unpacked > MAX_UNPACKED ? [`${unpacked} bytes unpacked, at most ${MAX_UNPACKED}`] : []),
  ];
}

/** `from "x"`, `import "x"`, `import("x")` and `require("x")`, as they stand in what is built. */
const IMPORT = /\b(?:from\s|import\s*\(?|require\()\s*"([^"\s]+)"/g;

/** Not declared: it loads the plugin. An older one lacks some of its modules, so they are imported where that may fail. */
const HOST = "openclaw";

/** What a program imports: files of the package by their paths in it, others as it names them. */
function importsOf(packed: Packed, path: string): string[] {
  return [...packed.text(path).matchAll(IMPORT)].map(([, specifier = ""]) =>
    specifier.startsWith(".") ? posix.join(dirname(path), specifier) : specifier,
  );
}

function imports(packed: Packed): string[] {
  const { dependencies, peerDependencies } = packed.json;
  const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
  const used = new Set<string>();
  const problems = packed.programs.flatMap((path) =>
    importsOf(packed, path).flatMap((specifier) => {
      if (isBuiltin(specifier))
        return specifier.startsWith("node:") ? [] : [`${path}: ${specifier} without node:`];
      if (specifier.startsWith("dist/"))
        return packed.files.includes(specifier)
          ? []
          : [`${path} imports ${specifier}, which is not there`];
      const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
      if (name === HOST)
        return packed.text(path).includes(`import("${specifier}")`)
          ? []
          : [`${path} cannot do without ${specifier}`];
      used.add(name);
      return declared.has(name) ? [] : [`${path} imports ${specifier}, which is not declared`];
    }),
  );
  const idle = [...declared].filter((name) => !used.has(name));
  return [...problems, ...idle.map((name) => `${name} is declared and never imported`)];
}

function localPaths(packed: Packed): string[] {
  const local = [REPOSITORY, homedir()].filter((path) => path.length > 3);
  return packed.files.flatMap((path) => {
    const text = packed.text(path);
    return local
      .filter((place) => text.includes(`${place}/`))
      .map((place) => `${path} names ${place}`);
  });
}

function sourceMaps(packed: Packed): string[] {
  return packed.programs.flatMap((path) => {
    const map = /^\/\/# sourceMappingURL=(.+)$/m.exec(packed.text(path))?.[1];
    const isThere = map === undefined || existsSync(join(packed.dir, dirname(path), map));
    return isThere ? [] : [`${path} names ${map}, which is not there`];
  });
}

function licence(packed: Packed): string[] {
  const [title = ""] = packed.text("LICENSE").split("\n");
  const { license } = packed.json;
  return title.startsWith(`${license} License`)
    ? []
    : [`${license} is declared, LICENSE is "${title}"`];
}

function version(packed: Packed): string[] {
  const { version: declared, name } = packed.json;
  const lock = JSON.parse(readFileSync(join(REPOSITORY, "package-lock.json"), "utf8"));
  const locked: [string, unknown][] = [
    ["package-lock.json", lock.version],
    ['package-lock.json, packages[""]', lock.packages[""].version],
  ];
  const shown = [...packed.text("README.md").matchAll(/^Influxion (\d+\.\d+\.\d+):/gm)];
  const places = [...locked, ...shown.map(([, one]): [string, unknown] => ["README.md", one])];
  const isLogged = packed.text("CHANGELOG.md").split("\n").includes(`## ${declared}`);
  return [
    ...places
      .filter(([, one]) => one !== declared)
      .map(([place, one]) => `${place} has ${one}, package.json ${declared}`),
    ...(isLogged ? [] : [`CHANGELOG.md has nothing about ${declared}`]),
    ...(packed.tarball.endsWith(`${name}-${declared}.tgz`) ? [] : [`packed as ${packed.tarball}`]),
  ];
}

async function programs({ dir, json }: Packed): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, path] of Object.entries(json.bin)) {
    const run = execute(process.execPath, [join(dir, path), "--help"], { timeout: 60_000 });
    const said = await run.then(
      ({ stdout }) => stdout,
      (error: Error) => error.message,
    );
    if (!said.includes(name)) problems.push(`${name} --help says: ${said.slice(0, 500)}`);
  }
  return problems;
}

function manifest(packed: Packed): string[] {
  const { id } = JSON.parse(packed.text("openclaw.plugin.json"));
  const { openclaw } = JSON.parse(packed.text("package.json"));
  const { compat, install, build } = openclaw;
  const entries: string[] = [...openclaw.extensions, ...openclaw.runtimeExtensions];
  const missing = [
    compat.pluginApi,
    compat.minGatewayVersion,
    install.minHostVersion,
    build.openclawVersion,
  ];
  return [
    ...(id === packed.json.name ? [] : [`its id is ${id}, the package ${packed.json.name}`]),
    ...entries
      .filter((path) => !packed.files.includes(posix.normalize(path)))
      .map((path) => `package.json names ${path}, which is not there`),
    ...(missing.includes(undefined) ? ["package.json lacks a version that ClawHub asks for"] : []),
  ];
}

/** What ClawHub's validator runs (`clawhub package validate`). */
async function inspector({ dir }: Packed): Promise<string[]> {
  const program = join(REPOSITORY, "node_modules/@openclaw/plugin-inspector/src/cli.js");
  const args = ["inspect", "--no-openclaw", "--plugin-root", dir, "--out", join(dir, "../reports")];
  const { stdout } = await execute(process.execPath, [program, ...args, "--json"], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { status, summary } = JSON.parse(stdout);
  const counts = ["breakageCount", "warningCount", "deprecationWarningCount", "compatGapCount"];
  const found = counts.filter((count) => summary[count] !== 0);
  const problems = found.map((count) => `${count} is ${summary[count]}`);
  return status === "pass" ? problems : [`its status is ${status}`, ...problems];
}

/** A registry that scans a checkout must not take tests that end processes for the plugin. */
async function ignored(packed: Packed): Promise<string[]> {
  const patterns = readFileSync(join(REPOSITORY, ".clawhubignore"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/\/$/, ""));
  const isIgnored = (name: string) => patterns.some((pattern) => posix.matchesGlob(name, pattern));
  const top = (path: string): string => path.split("/")[0] ?? path;
  const published = new Set(packed.files.map(top));
  const names = new Set((await tracked()).map(top));
  return [...names]
    .filter((name) => published.has(name) === isIgnored(name))
    .map((name) => `.clawhubignore ${published.has(name) ? "leaves out" : "lets through"} ${name}`);
}
