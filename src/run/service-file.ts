import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { parseJson } from "../shared/json.ts";
import { readRegular } from "../shared/open-file.ts";
import { replaceFile } from "../shared/replace-file.ts";

const ServiceSchema = v.object({
  /** Random, for each start of the service: whoever knows it has read this file. */
  id: v.pipe(v.string(), v.uuid()),
  version: v.string(),
});

/**
 * The service that uploads from this state directory. A command asks the Gateway only about the
 * service whose id stands in its own state directory, so it never speaks with that of another.
 */
export type ServiceFile = v.InferOutput<typeof ServiceSchema>;

/** What the last service left there, which may have been killed since; null when there is none. */
export async function readService(stateDir: string): Promise<ServiceFile | null> {
  try {
    const text = (await readRegular(servicePath(stateDir))).toString("utf8");
    const parsed = v.safeParse(ServiceSchema, parseJson(text));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** Best effort: without it, commands do without the Gateway. */
export async function writeService(stateDir: string, service: ServiceFile): Promise<void> {
  await replaceFile(servicePath(stateDir), `${JSON.stringify(service)}\n`).catch(() => undefined);
}

/** Unless another service has begun since. Best effort. */
export async function removeService(stateDir: string, id: string): Promise<void> {
  if ((await readService(stateDir))?.id !== id) return;
  await rm(servicePath(stateDir), { force: true }).catch(() => undefined);
}

function servicePath(stateDir: string): string {
  return join(stateDir, "influxion", "service.json");
}
