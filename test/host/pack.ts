import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packPlugin } from "../support/openclaw-package.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The packed plugin. */
    tarball: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "influxion-pack-"));
  project.provide("tarball", await packPlugin(folder));
  return () => rm(folder, { recursive: true, force: true });
}
