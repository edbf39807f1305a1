import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { testRoot } from "../support/certificate.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { packPlugin } from "../support/openclaw-package.ts";
import { startProxyServer } from "../support/proxy-server.ts";
import { runChild } from "../support/run-child.ts";

test("P63: the packed plugin, on its thread, reaches an https API through the proxy of the environment", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const api = await startFaultServer({ tls: testRoot });
  await using proxy = await startProxyServer({ port: api.port, credentials: "user:secret" });
  execFileSync("tar", ["-xzf", await packPlugin(lab.dir), "-C", lab.dir]);
  symlinkSync(resolve(import.meta.dirname, "../../node_modules"), join(lab.dir, "node_modules"));
  const roots = join(lab.dir, "roots.pem");
  writeFileSync(roots, testRoot.cert);
  const report = await runChild({
    stateDir: lab.stateDir,
    apiUrl: "https://api.test",
    dist: join(lab.dir, "package", "dist"),
    env: {
      HTTPS_PROXY: `http://user:secret@${proxy.address}`,
      NODE_EXTRA_CA_CERTS: roots,
    },
  });
  await api.close();
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(proxy.requests).toHaveLength(1);
  expect(proxy.seen()).not.toContain(API_KEY);
});
