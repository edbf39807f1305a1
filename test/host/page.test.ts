import { join } from "node:path";
import type { Browser, Frame, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from "vitest";
import { type Receiver, startReceiver } from "../../src/receiver/server.ts";
import { startBrowser, violations } from "../support/browser.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import { type Gateway, tellLastWords } from "../support/openclaw-gateway.ts";
import { openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

const API_KEY = "key-of-the-page-0123456789";

/** Said in a session that is not uploaded yet; the host masks what it knows, and this only the plugin does. */
const SECRET = "TICKET-88112233";

const HOSTILE = "<script>alert('evil')</script>";

const PAGES = ["overview", "sessions", "history", "preview?session="] as const;

// Run in the browser, of whose types the tests know nothing.
const WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]";
const REACHABLE = "document.querySelectorAll('a[href], [tabindex=\"0\"]').length";
const FOCUSED = "document.activeElement?.outerHTML ?? ''";
const SHOWN = "document.querySelector('main').innerText";

const shownIn = async (frame: Frame): Promise<string> => (await frame.evaluate(SHOWN)) as string;

describe("the page in the Control UI", { timeout: 240_000 }, () => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let receiver: Receiver;
  let gateway: Gateway;
  let browser: Browser;
  let page: Page;
  /** What went wrong in the page's frame, and requests to another origin. */
  const trouble: string[] = [];

  beforeAll(async () => {
    model = await startStubModel({ answer: ({ said }) => ({ text: `Done: ${said}` }) });
    openclaw = await createOpenClaw({
      host: await openclawHost(SQLITE_VERSION),
      modelUrl: model.baseUrl,
      agentIds: ["main", "ops"],
      controlUi: true,
    });
    receiver = await startReceiver({ dir: join(openclaw.dir, "received"), key: API_KEY, port: 0 });
    expect((await openclaw.install(inject("tarball"))).code).toBe(0);
    await openclaw.configurePlugin({
      apiUrl: receiver.url,
      apiKey: API_KEY,
      deploymentId: "page-test",
      projectId: "p-1",
      redact: { patterns: [{ id: "ticket", pattern: "TICKET-[0-9]{8}" }] },
      upload: { every: "0" },
      filter: { minMessages: 1, minBytes: 1, sessions: { deny: ["private-*"] } },
    });
    gateway = await openclaw.startGateway();
    await gateway.turn("What is uploaded");
    await gateway.turn("What stays here", "agent:ops:private-x");
    expect((await openclaw.run("influxion", "sync")).code).toBe(0);
    await gateway.turn(`${HOSTILE} about ${SECRET}`, "agent:ops:waiting");
    browser = await startBrowser();
    page = await logIn(browser, gateway, trouble);
  });

  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
    await receiver?.close();
    await model?.close();
    await openclaw?.close();
  });

  /** The frame of the page, at one of its addresses. */
  const open = async (path: string): Promise<Frame> => {
    const frame = await frameOf(page);
    await frame.goto(`${gateway.url}/plugins/influxion/${path}`);
    return frame;
  };
  const waiting = async (): Promise<string> => {
    const frame = await open("sessions?state=pending");
    return (await frame.getByRole("link", { name: /^Preview/ }).getAttribute("href")) ?? "";
  };

  test("one click on the tab shows the target, how uploads are, and what waits", async () => {
    onTestFailed(() => tellLastWords(gateway));
    await page.getByRole("link", { name: "Influxion" }).click();
    const frame = await frameOf(page);
    const text = await shownIn(frame);
    expect(text).toContain(receiver.url);
    expect(text).toMatch(/off; 1 session to send, [\d.]+ k?B/);
    expect(text).toMatch(/Uploaded\s+1\s/);
    expect(text).toMatch(/Excluded\s+1 \(filter\.sessions\.deny 1\)/);
    expect(await frame.getByRole("img").count()).toBe(3);
    expect(text).not.toContain(API_KEY);
  });

  test("a session that waits is shown as it would leave, and nothing in it runs", async () => {
    const frame = await open("sessions?state=pending");
    await frame.getByRole("link", { name: /^Preview/ }).click();
    await frame.getByRole("heading", { name: /What would be sent of/ }).waitFor();
    const text = await shownIn(frame);
    expect(text).toContain(HOSTILE);
    expect(text).toContain("[redacted:ticket]");
    expect(text).not.toContain(SECRET);
  });

  test.for(["light", "dark"] as const)(
    "axe finds nothing on any page in %s",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      for (const path of [...PAGES.slice(0, 3), await waiting()]) {
        const frame = await open(path);
        await frame.locator(`html[data-theme="${colorScheme}"]`).waitFor();
        expect([path, await violations(frame)]).toEqual([path, []]);
      }
    },
  );

  test("at 360 pixels no page is wider than the screen", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const path of [...PAGES.slice(0, 3), await waiting()]) {
      const frame = await open(path);
      const [wide, screen] = (await frame.evaluate(WIDTHS)) as [number, number];
      expect([path, wide]).toEqual([path, screen]);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("the keyboard reaches every link and every part that scrolls, and goes on from there", async () => {
    const frame = await open("overview");
    const wanted = (await frame.evaluate(REACHABLE)) as number;
    await frame.locator("a.skip").focus();
    const reached = new Set<string>();
    for (let n = 0; n < wanted; n++) {
      reached.add((await frame.evaluate(FOCUSED)) as string);
      await page.keyboard.press("Tab");
    }
    expect(reached.size).toBe(wanted);
    await frame.getByRole("link", { name: "History", exact: true }).focus();
    await page.keyboard.press("Enter");
    await frame.getByRole("rowheader").first().waitFor();
  });

  test("nothing went to another origin, and the page's frame had no error", () => {
    expect(trouble).toEqual([]);
  });

  test("only who is let in by the Gateway gets pages and metrics, and changes nothing", async () => {
    const at = (path: string, init?: RequestInit) =>
      fetch(`${gateway.url}/plugins/influxion/${path}`, init);
    const headers = { authorization: `Bearer ${gateway.token}` };
    expect((await at("overview")).status).toBe(401);
    expect((await at("metrics")).status).toBe(401);
    expect((await at("overview", { method: "POST", headers })).status).toBe(405);
    const metrics = await (await at("metrics", { headers })).text();
    expect(metrics).toContain('influxion_sessions{state="waiting"} 1\n');
    expect(metrics).toContain('influxion_runs_total{outcome="done"} 1\n');
  });

  test("a security audit finds nothing in the plugin's code", async () => {
    const { stdout } = await openclaw.run("security", "audit", "--deep", "--json");
    const { findings } = JSON.parse(stdout) as { findings: { checkId: string }[] };
    const checks = findings.map(({ checkId }) => checkId);
    // Named for every plugin there is, so the audit has seen this one.
    expect(checks).toContain("plugins.extensions_no_allowlist");
    expect(checks.filter((id) => /code_safety|audit_failed/.test(id))).toEqual([]);
  });
});

/** As the link of `openclaw dashboard` does it. */
async function logIn(browser: Browser, { url, token }: Gateway, trouble: string[]): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("console", (message) => {
    // The Control UI has troubles of its own, such as with the picture of its user.
    const isOurs = message.location().url.includes("/plugins/influxion");
    if (message.type() === "error" && isOurs) trouble.push(message.text());
  });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== url) trouble.push(request.url());
  });
  await page.goto(`${url}/#token=${token}`);
  return page;
}

async function frameOf(page: Page): Promise<Frame> {
  const element = await page.waitForSelector("iframe[title='Influxion']", { timeout: 60_000 });
  const frame = await element.contentFrame();
  if (frame === null) throw new Error("the frame has no document");
  await frame.locator("h1").waitFor();
  return frame;
}
