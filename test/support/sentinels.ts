import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { formsOf as writtenForms } from "../redaction/support.ts";
import type { FaultServer } from "./fault-server.ts";
import type { Spoken } from "./lab.ts";
import type { ProxyServer } from "./proxy-server.ts";

/** Where something can turn up. */
export type Place =
  /** The value of this header of a request to the API. */
  | "authorization"
  /** All other headers of it, its method and its path. */
  | "head"
  /** Its body, decoded. */
  | "body"
  /** What the proxy is shown in `Proxy-Authorization`. */
  | "proxy-authorization"
  /** Everything else that passes through the proxy. */
  | "proxy"
  /** What the Gateway is given for its log and its health page. */
  | "log"
  /** What a command writes to stdout and stderr. */
  | "command"
  /** What `preview` shows to people. */
  | "preview"
  /** The names and contents of the files that the plugin keeps. */
  | "file"
  /** What the receiver prints, answers and keeps beside sessions. */
  | "receiver";

/** What is on this machine and has to stay where it is. */
export interface Sentinel {
  /** What it is planted as. */
  readonly what: string;
  readonly value: string;
  /** Where it may turn up. */
  readonly allowed: readonly Place[];
}

interface Evidence {
  readonly place: Place;
  /** For people: which request, command or file. */
  readonly label: string;
  /** Bytes as a binary string. */
  readonly bytes: string;
}

/** All that came out of a plugin, to look for sentinels in. */
export class Findings {
  readonly #evidence: Evidence[] = [];

  add(place: Place, label: string, text: string | Buffer): void {
    const bytes = (typeof text === "string" ? Buffer.from(text) : text).toString("latin1");
    this.#evidence.push({ place, label, bytes });
  }

  addRequests({ requests }: FaultServer): void {
    for (const { index, method, path, headers, lines = [] } of requests) {
      const { authorization = "", ...others } = headers;
      this.add("authorization", `request ${index}`, authorization);
      this.add("head", `head of request ${index}`, JSON.stringify({ method, path, others }));
      this.add("body", `body of request ${index}`, lines.join("\n"));
    }
  }

  addProxy({ requests, seen }: ProxyServer): void {
    for (const { headers } of requests) {
      this.add("proxy-authorization", "the proxy", headers["proxy-authorization"] ?? "");
    }
    const rest = seen().replace(/^proxy-authorization:.*$/gim, "");
    this.add("proxy", "what passed the proxy", Buffer.from(rest, "latin1"));
  }

  addLog(lines: readonly string[]): void {
    this.add("log", "the Gateway's log", lines.join("\n"));
  }

  addCommand(name: string, { out, err }: Spoken): void {
    this.add("command", name, `${out}\n${err}`);
  }

  /** What the plugin has written below a state directory; what hosts keep there is not looked at. */
  addFiles(stateDir: string): void {
    this.addFolder("file", join(stateDir, "influxion"));
  }

  /** @param skip names below `dir` that are left out */
  addFolder(place: Place, dir: string, skip: (name: string) => boolean = () => false): void {
    for (const { name, path } of filesBelow(dir)) {
      if (!skip(name)) this.add(place, `file ${name}`, readFileSync(path));
      if (!skip(name)) this.add(place, `the name of ${name}`, name);
    }
  }

  /** The sentinels that were found where they must not be, and pieces of them, each with the place. */
  leaks(sentinels: readonly Sentinel[]): string[] {
    return [...this.#whole(sentinels), ...this.#pieces(sentinels)];
  }

  #pieces(sentinels: readonly Sentinel[]): string[] {
    const all = sentinels.flatMap(({ value }) => formsOf(value));
    const isPiece = (bytes: string): boolean => {
      if (!bytes.includes(BEGINNING) && !bytes.includes(END)) return false;
      const rest = all.reduce((left, form) => left.replaceAll(form, ""), bytes);
      return rest.includes(BEGINNING) || rest.includes(END);
    };
    return this.#evidence
      .filter(({ bytes }) => isPiece(bytes))
      .map(({ label }) => `a piece of a sentinel in ${label}`);
  }

  #whole(sentinels: readonly Sentinel[]): string[] {
    return sentinels.flatMap(({ what, value, allowed }) => {
      const forms = formsOf(value);
      return this.#evidence
        .filter(({ place }) => !isAllowed(place, allowed))
        .filter(({ bytes }) => forms.some((form) => bytes.includes(form)))
        .map(({ label }) => `${what} in ${label}`);
    });
  }

  /** Where a value was found, allowed or not. */
  placesOf(value: string): Place[] {
    const forms = formsOf(value);
    const found = this.#evidence.filter(({ bytes }) => forms.some((form) => bytes.includes(form)));
    return [...new Set(found.map(({ place }) => place))].sort();
  }
}

const isAllowed = (place: Place, allowed: readonly Place[]): boolean =>
  allowed.includes(place) ||
  (place === "preview" && (allowed.includes("body") || allowed.includes("command")));

const BEGINNING = "sentinel-";
const END = "-q7x9w";

/** A text that begins and ends like no other, so that a piece of it is found, too: messages of parsers hold pieces. */
export function sentinelOf(what: string): string {
  return `${BEGINNING}${what}${END}`;
}

/** A text as it is, with the escapes of JSON and URLs, in base64 wherever it begins within three bytes, and in hex. */
export function formsOf(value: string): string[] {
  const written = writtenForms(value).map((form) => Buffer.from(form).toString("latin1"));
  const encoded = [0, 1, 2].map((offset) => base64At(value, offset));
  return [...new Set([...written, ...encoded, Buffer.from(value).toString("hex")])];
}

/** The characters of base64 that a text alone decides when `offset` bytes come before it. */
function base64At(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]);
  const first = Math.ceil((offset * 8) / 6);
  return bytes.toString("base64").slice(first, Math.floor((bytes.length * 8) / 6));
}

function filesBelow(dir: string): { readonly name: string; readonly path: string }[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return { name: path.slice(dir.length + sep.length), path };
    });
}
