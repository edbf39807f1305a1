import { expect, test, vi } from "vitest";
import { Lab } from "../support/lab.ts";
import { pluginHost } from "../support/plugin-host.ts";

const LOGGERS: Readonly<Record<string, () => unknown>> = {
  "gives no logger": () => undefined,
  "gives one without levels": () => ({}),
  "has one that throws": () => ({
    info() {
      throw new Error("the log is full");
    },
  }),
};

for (const [what, childLogger] of Object.entries(LOGGERS)) {
  test(`a host that ${what} for structured lines costs no run`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const { apiUrl, apiKey, deploymentId, projectId } = lab.config();
    const config = { apiUrl, apiKey, deploymentId, projectId, upload: { every: "1s" } };
    await using host = pluginHost(lab, config, childLogger);
    host.start();
    await vi.waitFor(() => expect(host.said.join()).toContain("uploaded 1 session"), {
      timeout: 15_000,
    });
    expect(host.said.join()).not.toContain("unexpected failure");
    expect(lab.receivedSessions()).toEqual(["main/abc"]);
  });
}
