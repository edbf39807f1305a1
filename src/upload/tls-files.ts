import { createPrivateKey, X509Certificate } from "node:crypto";
import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { TlsOptions } from "../config/config.ts";
import { openRegular } from "../shared/open-file.ts";
import { errnoOf, InfluxionError, type Problem } from "../shared/problem.ts";

/** What `tls` of the config names, as it is in the files. */
export interface TlsFiles {
  /** Roots that count beside those of Node. */
  readonly ca?: Buffer;
  /** What this installation shows to the API, and the key to it. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** What is no obstacle, and somebody should know. */
  readonly warnings: readonly Problem[];
}

/** Bundles of roots have some hundred kB. */
const MAX_BYTES = 16 * 1024 ** 2;

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads the files of `tls` and looks at what is in them. They are read for each client, so that a
 * renewed certificate needs no restart.
 *
 * @throws {InfluxionError} `TLS_INVALID`, which names the option and not the path
 */
export async function readTlsFiles({ tls }: { readonly tls: TlsOptions }): Promise<TlsFiles> {
  const [ca, cert, key] = await Promise.all([
    readPem("tls.ca", tls.ca, assertCertificates),
    readPem("tls.cert", tls.cert, assertCertificates),
    readPem("tls.key", tls.key, assertKey),
  ]);
  if (cert !== undefined && key !== undefined) assertPair(cert.pem, key.pem);
  return {
    ...(ca === undefined ? {} : { ca: ca.pem }),
    ...(cert === undefined ? {} : { cert: cert.pem }),
    ...(key === undefined ? {} : { key: key.pem }),
    warnings: key?.isExposed ? [EXPOSED] : [],
  };
}

/** Where nothing is set, undefined: the connection is then made as Node makes it. */
export function secureContextOf({ ca, cert, key }: TlsFiles): SecureContext | undefined {
  if (ca === undefined && cert === undefined) return undefined;
  return createSecureContext({
    // Those that are given replace all others, which a company's are not meant to do.
    ...(ca === undefined ? {} : { ca: [...getCACertificates("default"), ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}

const EXPOSED: Problem = {
  code: "TLS_KEY_EXPOSED",
  message:
    "the file of tls.key can be read by every user of this machine; let only the one that runs OpenClaw read it (chmod 600)",
};

interface Pem {
  readonly pem: Buffer;
  /** Others than its owner and group may read or write it. */
  readonly isExposed: boolean;
}

async function readPem(
  option: string,
  path: string | undefined,
  check: (pem: Buffer) => void,
): Promise<Pem | undefined> {
  if (path === undefined) return undefined;
  try {
    const { file, stats } = await openRegular(await realpath(absolute(path)));
    try {
      if (stats.size > MAX_BYTES) throw invalid("it is too large for that");
      const pem = await file.readFile();
      check(pem);
      return { pem, isExposed: process.platform !== "win32" && (stats.mode & 0o006) !== 0 };
    } finally {
      await file.close();
    }
  } catch (error) {
    const expected = option === "tls.key" ? "private key" : "certificate";
    throw invalid(
      `${option} does not name a file with a ${expected} (${reasonOf(error)}); expected a path to one in PEM that OpenClaw can read`,
      error,
    );
  }
}

/** Where the file is, as a shell has it. */
function absolute(path: string): string {
  return /^~(?=[/\\]|$)/.test(path) ? join(homedir(), path.slice(1)) : path;
}

function assertCertificates(pem: Buffer): void {
  const found = pem.toString("latin1").match(CERTIFICATES) ?? [];
  if (found.length === 0) throw invalid("it holds no certificate in PEM");
  try {
    for (const one of found) new X509Certificate(one);
  } catch {
    throw invalid("a certificate in it is damaged");
  }
}

function assertKey(pem: Buffer): void {
  try {
    createPrivateKey(pem);
  } catch (error) {
    const isLocked = /PASSPHRASE|BAD_DECRYPT|INTERRUPTED_OR_CANCELLED/.test(errnoOf(error));
    throw invalid(isLocked ? "it is protected by a passphrase" : "it holds no private key in PEM");
  }
}

function assertPair(cert: Buffer, key: Buffer): void {
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw invalid(
    "tls.key does not belong to the first certificate of tls.cert; expected the key that this certificate was made for",
  );
}

const invalid = (message: string, cause?: unknown): InfluxionError =>
  new InfluxionError("TLS_INVALID", message, cause === undefined ? {} : { cause });

/** Without the path, which an error of the file system holds. */
function reasonOf(error: unknown): string {
  if (!(error instanceof InfluxionError)) return errnoOf(error) || "it cannot be read";
  return error.code === "NOT_A_FILE" ? "it is no regular file" : error.message;
}
