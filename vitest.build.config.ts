import { dirname, join, relative } from "node:path";
import { defineConfig, type Plugin } from "vitest/config";

const SRC = join(import.meta.dirname, "src");
const DIST = join(import.meta.dirname, "dist");

/** Gives tests the built plugin where they import its source: what is installed is what is tested. */
const fromBuild: Plugin = {
  name: "from-build",
  enforce: "pre",
  resolveId(specifier, importer) {
    if (importer === undefined || !specifier.startsWith(".")) return null;
    const inSrc = relative(SRC, join(dirname(importer), specifier));
    return inSrc.startsWith("..") ? null : join(DIST, inSrc.replace(/\.ts$/, ".js"));
  },
};

/** The promises on the build, for the other versions of Node: `npm run test:node`. */
export default defineConfig({
  plugins: [fromBuild],
  test: {
    include: ["test/promises/**/*.test.ts"],
    testTimeout: 20_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
