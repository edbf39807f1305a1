import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Random } from "../../bench/lib/random.ts";
import { base64, hex, listing, prose, uuid } from "../../bench/lib/text.ts";
import { entry } from "./contexts.ts";
import { cleanTexts } from "./look-alikes.ts";
import { redactLine } from "./support.ts";

const root = join(import.meta.dirname, "..", "..");

/** In characters of text. */
const MADE = 20e6;
const FILES = 100e6;
const LONGEST_FILE = 6e6;

/**
 * What is found in code and documents of others, each looked at: examples of passwords and tokens, and sentences
 * without spaces, in Chinese, of members that are called "pass".
 */
const KNOWN: readonly string[] = [
  "node_modules/axe-core/locales/zh_TW.json: password",
  "node_modules/node-edge-tts/dist/drm.d.ts: named-secret",
  "node_modules/node-edge-tts/dist/drm.js: named-secret",
  "node_modules/openclaw/dist/lib-TP3iUnPm.mjs: named-secret",
  "node_modules/openclaw/node_modules/playwright-core/lib/utilsBundle.js: url-password",
  "node_modules/pg-connection-string/README.md: url-password",
];

test("20 MB of made hashes, lock files, logs and images stay byte-equal", {
  timeout: 120_000,
}, async () => {
  const changed: string[] = [];
  let size = 0;
  for (let seed = 100; size < MADE; seed++) {
    for (const text of madeTexts(seed)) {
      const line = entry(text);
      size += line.length;
      if ((await redactLine(line)).text !== line) changed.push(text.slice(0, 200));
    }
  }
  expect(changed).toEqual([]);
});

function* madeTexts(seed: number): Generator<string> {
  const random = new Random(seed);
  const lines = (line: () => string): string => Array.from({ length: 200 }, line).join("\n");
  yield* cleanTexts(seed);
  yield lines(() => `${hex(random, 40)} ${uuid(random)} ${hex(random, 64)}`);
  yield lines(() => `  "integrity": "sha512-${base64(random, 86)}==",`);
  yield lines(() => `${uuid(random)},${random.below(1e9)},${base64(random, 24)}`);
  yield base64(random, 200_000);
  yield base64(random, 200_000).replaceAll("+", "-").replaceAll("/", "_");
  yield prose(random, 20_000);
  yield listing(random, 20_000);
}

test("100 MB of code, types, maps and documents stay byte-equal, but for what is known", {
  timeout: 300_000,
}, async () => {
  const found: string[] = [];
  let size = 0;
  for (const path of textFiles()) {
    const line = entry(readFileSync(join(root, path), "utf8"));
    size += line.length;
    const { rules } = await redactLine(line);
    found.push(...rules.map((rule) => `${path}: ${rule}`));
    if (size > FILES) break;
  }
  expect(found.filter((finding) => !KNOWN.includes(finding))).toEqual([]);
});

/**
 * A third of the texts in what is installed for development, other than what differs from system to
 * system: by their paths, so that another package changes nothing about the others.
 */
function textFiles(): string[] {
  return globSync("node_modules/**/*.{js,mjs,cjs,ts,mts,json,md,map,yml,yaml,txt,html,css}", {
    cwd: root,
  })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !/linux|darwin|win32|\.vite|\.package-lock/.test(path))
    .filter((path) => isChosen(path) && isTextFile(join(root, path)))
    .toSorted();
}

const isChosen = (path: string): boolean =>
  (createHash("sha256").update(path).digest()[0] ?? 0) % 3 === 0;

function isTextFile(path: string): boolean {
  const stat = statSync(path);
  return stat.isFile() && stat.size < LONGEST_FILE;
}
