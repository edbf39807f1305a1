import { expect, test } from "vitest";
import { configWriter } from "../../src/openclaw/config-file.ts";

/** A host that keeps its config in memory, and changes it as hosts do. */
function hostWith(config: Record<string, unknown>): Parameters<typeof configWriter>[0] {
  return {
    mutateConfigFile: async ({ mutate }: { mutate: (draft: never) => unknown }) => {
      await mutate(config as never);
      return { path: "/somewhere/openclaw.json" };
    },
  } as never;
}

const change = (options: unknown) => ({ ...(options as object), projectId: "p" });

test("what else is in the host's config stays, and the entry is enabled", async () => {
  const entries = { other: { enabled: false }, influxion: { enabled: false, config: { a: 1 } } };
  const config = { gateway: { port: 1 }, plugins: { allow: ["influxion"], entries } };
  expect(await configWriter(hostWith(config))?.(change)).toBe("/somewhere/openclaw.json");
  expect(config).toEqual({
    gateway: { port: 1 },
    plugins: {
      allow: ["influxion"],
      entries: {
        other: { enabled: false },
        influxion: { enabled: true, config: { a: 1, projectId: "p" } },
      },
    },
  });
});

test("an entry is made where there is none, and in place of what is none", async () => {
  for (const config of [{}, { plugins: {} }, { plugins: { entries: { influxion: "x" } } }]) {
    await configWriter(hostWith(config))?.(change);
    expect(config).toEqual({
      plugins: { entries: { influxion: { enabled: true, config: { projectId: "p" } } } },
    });
  }
});

test("a host that has no such means has no writer, and one that refuses says why", async () => {
  expect(configWriter(undefined)).toBeNull();
  expect(configWriter({})).toBeNull();
  const refusing = { mutateConfigFile: () => Promise.reject(new Error("read-only\nmore")) };
  await expect(configWriter(refusing as never)?.(change)).rejects.toMatchObject({
    code: "CONFIG_NOT_WRITTEN",
    message: "OpenClaw did not write its config: read-only",
  });
});
