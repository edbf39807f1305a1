import fc from "fast-check";
import { expect, test } from "vitest";
import { chooseProxy } from "../../src/upload/proxy.ts";

const HTTPS = "https://api.influxion.test";
const HTTP = "http://api.influxion.test:8080";

const chosen = (env: Record<string, string>, apiUrl = HTTPS): string | null => {
  const proxy = chooseProxy(apiUrl, undefined, env);
  return proxy === null ? null : `${proxy.source} ${proxy.url.href}`;
};

test.for([
  [{}, null],
  [{ HTTPS_PROXY: "http://a:1" }, "HTTPS_PROXY http://a:1/"],
  [{ https_proxy: "http://a:1", HTTPS_PROXY: "http://b:1" }, "https_proxy http://a:1/"],
  [{ https_proxy: " ", HTTPS_PROXY: "http://b:1" }, "HTTPS_PROXY http://b:1/"],
  [{ HTTPS_PROXY: "", HTTP_PROXY: "http://b:1" }, "HTTP_PROXY http://b:1/"],
  [{ ALL_PROXY: "http://a:1", all_proxy: "http://a:1" }, null],
  [{ HTTPS_PROXY: "socks5://a:1", NO_PROXY: "api.influxion.test" }, null],
  [{ HTTP_PROXY: "socks5://a:1" }, null],
  [{ HTTP_PROXY: "http://u:p%zz@a:1", HTTPS_PROXY: "http://b:1" }, "HTTPS_PROXY http://b:1/"],
] as const)("P63: for https, %o means %s", ([env, expected]) => {
  expect(chosen(env as Record<string, string>)).toBe(expected);
});

test.for([
  [{ HTTP_PROXY: "http://a:1" }, "HTTP_PROXY http://a:1/"],
  [{ http_proxy: "http://a:1", HTTP_PROXY: "http://b:1" }, "http_proxy http://a:1/"],
  [{ HTTPS_PROXY: "http://a:1" }, null],
  [{ HTTPS_PROXY: "'quoted'" }, null],
] as const)("P63: for http, %o means %s", ([env, expected]) => {
  expect(chosen(env as Record<string, string>, HTTP)).toBe(expected);
});

test.for([
  ["proxy.corp:8080", "http://proxy.corp:8080/", undefined],
  ["proxy.corp", "http://proxy.corp/", undefined],
  ["10.1.2.3:3128", "http://10.1.2.3:3128/", undefined],
  ["[fd00::1]:3128", "http://[fd00::1]:3128/", undefined],
  ["HTTP://Proxy.Corp:8080/", "http://proxy.corp:8080/", undefined],
  ["https://proxy.corp", "https://proxy.corp/", undefined],
  [" http://proxy.corp:8080\n", "http://proxy.corp:8080/", undefined],
  ["my_proxy:8080", "http://my_proxy:8080/", undefined],
  ["user:pw@proxy:3128", "http://proxy:3128/", "user:pw"],
  ["http://user:p%25%2F%23w@proxy:3128", "http://proxy:3128/", "user:p%/#w"],
  ['http://user:p"w@proxy:3128', "http://proxy:3128/", 'user:p"w'],
] as const)("P63: %o is a proxy", ([value, url, credentials]) => {
  const proxy = chooseProxy(HTTPS, undefined, { HTTPS_PROXY: value });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
  expect(proxy?.url.href).toBe(url);
  expect(proxy?.authorization).toBe(credentials === undefined ? undefined : basic(credentials));
});

const UNUSABLE = [
  "http://user:p%zz@127.0.0.1:9",
  "http://us%er:secret@proxy:3128",
  "user:100%@proxy:3128",
  '"http://proxy.corp:8080"',
  "'http://proxy.corp:8080'",
  '"proxy.corp:8080"',
  '"proxy.corp"',
  "‘http://proxy.corp:8080’",
  "socks5://127.0.0.1:1080",
  "socks5h://127.0.0.1:1080",
  "socks://127.0.0.1:1080",
  "ftp://proxy.corp:21",
  "file:///etc/passwd",

  "http://:8080",
  "http://proxy.corp:port",
  "http://proxy.corp:99999",
  "http://proxy.corp:0",
  "http://proxy corp:8080",
  "http://proxy.corp :8080",
  "http://pro\nxy:8080",
  "http://user:p w@proxy:8080",
  "http://user:p#w@proxy:8080",
  "http://user:1/2@proxy:8080",
  "http://user:1?2@proxy:8080",
  "http://proxy.corp/wpad.dat",
  "PROXY proxy.corp:8080; DIRECT",
  "http=proxy.corp:8080",
  "proxy.corp:8080,other.corp:8080",
  "http:proxy.corp:8080",

  "$HTTP_PROXY",
];

test.for(UNUSABLE)(
  "P63: %o is refused with the form that is expected, and never shown",
  (value) => {
    for (const [env, host, source] of [
      [{ HTTPS_PROXY: value }, undefined, "HTTPS_PROXY"],
      [{}, { url: value, source: "proxy.proxyUrl" }, "proxy.proxyUrl"],
    ] as const) {
      let failure: unknown;
      try {
        chooseProxy(HTTPS, host, env);
      } catch (error) {
        failure = error;
      }
      expect(failure).toMatchObject({ code: "PROXY_INVALID" });
      const { message } = failure as Error;
      expect(message).toMatch(new RegExp(`^${source} .*expected host:port, http://host:port`));
      expect(message).not.toContain(value.trim());
      expect(message).not.toMatch(/secret|corp/);
    }
  },
);

test.for([
  ["*", true],
  ["api.influxion.test", true],
  ["API.Influxion.Test", true],
  ["api.influxion.test.", true],
  ["influxion.test", true],
  [".influxion.test", true],
  ["*.influxion.test", true],
  ["test", true],
  ["api.influxion.test:443", true],
  ["influxion.test:443", true],
  ["*:443", true],
  ["a.test,api.influxion.test", true],
  ["a.test api.influxion.test", true],
  [" a.test ,  api.influxion.test ", true],
  ["", false],
  ["api.influxion.test:8443", false],
  ["fluxion.test", false],
  ["other.test", false],
  ["www.api.influxion.test", false],
  ["10.0.0.0/8", false],
  ["https://api.influxion.test", false],
] as const)("P63: NO_PROXY %o", ([NO_PROXY, isDirect]) => {
  expect(chosen({ HTTPS_PROXY: "http://a:1", NO_PROXY }) === null).toBe(isDirect);
});

test.for([
  ["https://10.1.2.3", "10.0.0.0/8", true],
  ["https://11.1.2.3", "10.0.0.0/8", false],
  ["https://10.1.2.3", "10.1.2.3", true],
  ["https://10.1.2.3:8443", "10.1.2.3:443", false],
  ["https://10.1.2.3", "10.0.0.0/33", false],
  ["https://10.1.2.3", "10.0.0/8", false],
  ["https://[fd00::5]", "fd00::5", true],
  ["https://[fd00::5]", "[fd00::5]", true],
  ["https://[fd00::5]:8443", "[fd00::5]:8443", true],
  ["https://[fd00::5]:8443", "[fd00::5]:443", false],
  ["https://[fd00::5]", "fd00::/8", true],
  ["https://api.test.", "api.test", true],
] as const)("P63: %s with NO_PROXY %s", ([url, NO_PROXY, isDirect]) => {
  expect(chosen({ HTTPS_PROXY: "http://a:1", NO_PROXY }, url) === null).toBe(isDirect);
});

test("P63: a variable of any content gives a proxy, or a sentence; NO_PROXY never fails", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.webUrl());
  fc.assert(
    fc.property(text, text, (HTTPS_PROXY, NO_PROXY) => {
      try {
        chooseProxy(HTTPS, undefined, { HTTPS_PROXY, NO_PROXY });
      } catch (error) {
        expect(error).toMatchObject({ code: "PROXY_INVALID" });
      }
    }),
    { numRuns: 3000 },
  );
});
