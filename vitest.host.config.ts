import { defineConfig } from "vitest/config";

/** The packed plugin in real OpenClaw hosts: `npm run test:host`. Takes minutes. */
export default defineConfig({
  test: {
    include: ["test/host/**/*.test.ts"],
    globalSetup: ["test/host/setup.ts"],
    // Two files at a time: a Gateway needs most of a gigabyte and one core while it starts.
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 600_000,
    // The tests of a host go on from each other.
    bail: 1,
  },
});
