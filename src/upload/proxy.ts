import { X509Certificate } from "node:crypto";
import { realpath } from "node:fs/promises";
import { BlockList, isIP } from "node:net";
import { isLoopbackUrl } from "../config/config.ts";
import { readRegular } from "../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../shared/problem.ts";

/** A file with the roots that a proxy which speaks TLS is checked with, PEM. */
export interface RootsFile {
  readonly path: string;
  /** What sets it, for people. */
  readonly source: string;
}

/** A proxy that the host is configured with. */
export interface HostProxy {
  /** As it was written, not checked. */
  readonly url: string;
  /** What sets it, for people. */
  readonly source: string;
  readonly caFile?: RootsFile | undefined;
}

/** A proxy that requests go through. */
export interface HttpProxy {
  /** Its own address: scheme, host and port. */
  readonly url: URL;
  /** Value of `Proxy-Authorization`. */
  readonly authorization?: string;
  /** What sets it: a variable of the environment, or an option of the host. */
  readonly source: string;
  /** The default roots count without it. */
  readonly caFile?: RootsFile | undefined;
}

/** As options of TLS, the roots that a proxy is checked with: those of its file alone, else the default ones. */
export type Roots = Readonly<{ ca?: Buffer }>;

/** @throws {InfluxionError} `PROXY_INVALID` when the file that applies cannot be used */
export async function readRoots({ url, caFile }: HttpProxy): Promise<Roots> {
  if (caFile === undefined || url.protocol !== "https:") return {};
  try {
    const ca = await readRegular(await realpath(caFile.path));
    assertRoots(ca);
    return { ca };
  } catch (error) {
    const why = error instanceof InfluxionError ? error.message : errnoOf(error);
    throw new InfluxionError(
      "PROXY_INVALID",
      `${caFile.source} does not name a file with the roots of the proxy (${why}); expected one with certificates in PEM, which OpenClaw can read`,
      { cause: error },
    );
  }
}

/** TLS takes whatever is no certificate in PEM for an empty list of roots. */
function assertRoots(pem: Buffer): void {
  try {
    if (pem.includes("-----BEGIN ")) return void new X509Certificate(pem);
  } catch {
    // OpenSSL reports it by a code of its own.
  }
  throw new InfluxionError("NO_CERTIFICATE", "it holds no certificate in PEM");
}

/** The way through the proxy failed: its answer to CONNECT, or, as `cause`, why there was none. */
export class ProxyError extends InfluxionError {
  /** What sets the proxy. */
  readonly source: string;
  /** Its host and port. */
  readonly address: string;
  /** What sets the roots that it is checked with, if not the default ones. */
  readonly rootsSource: string | undefined;
  readonly status: number | undefined;

  constructor(
    { url, source, caFile }: HttpProxy,
    { status, cause }: { status?: number; cause?: unknown },
  ) {
    super("PROXY_FAILED", `the proxy set by ${source} failed`, { cause });
    this.source = source;
    this.address = addressOf(url);
    this.rootsSource = caFile?.source;
    this.status = status;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** By scheme of the API; as undici, and with it OpenClaw, has it. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  "https:": ["https_proxy", "HTTPS_PROXY"],
  "http:": ["http_proxy", "HTTP_PROXY"],
};

/**
 * The proxy for requests to `apiUrl`, or null. This machine is reached without one. The
 * host's comes first, and NO_PROXY does not apply to it (OpenClaw's docs, "Network proxy").
 *
 * @throws {InfluxionError} `PROXY_INVALID` when the one that applies cannot be used
 */
export function chooseProxy(
  apiUrl: string,
  host?: HostProxy,
  env: Environment = process.env,
): HttpProxy | null {
  if (isLoopbackUrl(apiUrl)) return null;
  if (host !== undefined) return { ...parseProxy(host.url, host.source), caFile: host.caFile };
  const url = new URL(apiUrl);
  if (isExcluded(url, firstSet(["no_proxy", "NO_PROXY"], env)?.value ?? "")) return null;
  const own = firstSet(VARIABLES[url.protocol] ?? [], env);
  if (own !== undefined) return parseProxy(own.value, own.name);
  // The one for http is the fallback for https. Nobody set it for that, so one that cannot be used is left alone.
  const other = firstSet(VARIABLES["http:"] ?? [], env);
  return other === undefined ? null : readProxy(other.value, other.name);
}

/** The first of these variables that is set; as curl has it, an empty one is not. */
function firstSet(
  names: readonly string[],
  env: Environment,
): { readonly name: string; readonly value: string } | undefined {
  return names
    .map((name) => ({ name, value: env[name]?.trim() ?? "" }))
    .find(({ value }) => value !== "");
}

function parseProxy(value: string, source: string): HttpProxy {
  const proxy = readProxy(value, source);
  if (proxy !== null) return proxy;
  throw new InfluxionError(
    "PROXY_INVALID",
    `${source} does not name a proxy that can be used; expected host:port, http://host:port or http://user:password@host:port, with https for a proxy that speaks TLS, without quotes, and with what is special in user or password percent-encoded (%25 for %); SOCKS is not supported`,
  );
}

/** Null when `value` is not of the form that {@link parseProxy} asks for. */
function readProxy(value: string, source: string): HttpProxy | null {
  const text = value.trim();
  const url = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const isProxy =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    // URL takes more for a host than a network does, such as a quotation mark.
    /^([\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname) &&
    url.port !== "0" &&
    url.pathname === "/" &&
    // URL drops line breaks, and whoever writes ? or # meant them for the password.
    !/[\s\p{C}?#]/u.test(text);
  if (!isProxy) return null;
  const credentials = readCredentials(url);
  if (credentials === null) return null;
  return {
    url: new URL(url.origin),
    source,
    ...(credentials === ":" ? {} : { authorization: `Basic ${base64(credentials)}` }),
  };
}

function readCredentials({ username, password }: URL): string | null {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    return null;
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Host and port of an http or https address, for people. */
export function addressOf(url: URL): string {
  return `${url.hostname}:${portOf(url)}`;
}

const portOf = ({ protocol, port }: URL): string => port || (protocol === "https:" ? "443" : "80");

/**
 * Whether NO_PROXY excludes `url`. Entries are separated by commas or white space: `*`, a
 * host, which stands for its subdomains, too, an address, or a block of addresses; each
 * but the last may end in a port. What is none of these matches nothing.
 */
function isExcluded(url: URL, noProxy: string): boolean {
  const host = bareHost(url.hostname);
  return noProxy.split(/[\s,]+/).some((entry) => {
    const [, name = "", at] = isIP(entry) ? ["", entry] : (/^(.+?)(?::(\d+))?$/.exec(entry) ?? []);
    if (name === "" || (at !== undefined && at !== portOf(url))) return false;
    const excluded = bareHost(name);
    return (
      name === "*" ||
      host === excluded ||
      host.endsWith(`.${excluded}`) ||
      isInBlock(host, excluded)
    );
  });
}

/** Without the brackets of IPv6, the `*.` or `.` that says "and subdomains", and a final dot. */
function bareHost(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^\*?\./, "")
    .replace(/\.$/, "");
}

/** Whether `host` is an address in a block such as `10.0.0.0/8`. */
function isInBlock(host: string, block: string): boolean {
  const [, network = "", prefix = ""] = /^(.+)\/(\d{1,3})$/.exec(block) ?? [];
  const version = isIP(network);
  if (version === 0 || isIP(host) !== version || Number(prefix) > (version === 4 ? 32 : 128)) {
    return false;
  }
  const family = version === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(host, family);
}
