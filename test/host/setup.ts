import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { packPlugin } from "../support/openclaw-package.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The packed plugin. */
    tarball: string;
  }
}

/** Packs and installs once, before files that need the same would do so at the same time. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await Promise.all([openclawHost(JSONL_VERSION), openclawHost(SQLITE_VERSION)]);
  const folder = await mkdtemp(join(tmpdir(), "influxion-pack-"));
  // Each host has a home of its own and so would each npm in it: installing the plugin looks up
  // hundreds of packages, which 2026.7.35 waits a minute for. Once for this run is enough.
  process.env.npm_config_cache = join(folder, "npm");
  process.env.npm_config_prefer_offline = "true";
  project.provide("tarball", await packPlugin(folder));
  return () => rm(folder, { recursive: true, force: true });
}
