import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";

/** Whom we believe to be a host, and as whom we show ourselves to it. */
export interface Trust {
  /** Equal for equal trust, so that connections can be shared. */
  readonly key: string;
  readonly context: SecureContext;
}

/**
 * The trust for a registry host: node's authorities, the system's, and those in `<folder>/<host[:port]>/*.crt`; a
 * `*.cert` with its `*.key` there is our own certificate. Docker's layout of certs.d.
 */
export async function trustFor(host: string, folders: readonly string[]): Promise<Trust> {
  const files = safeName.test(host) ? await readAll(host, folders) : new Map<string, string>();
  if (files.size === 0) return common();
  const authorities = [...files].filter(([name]) => name.endsWith(".crt")).map(([, text]) => text);
  const own = [...files].find(([name]) => name.endsWith(".cert") && files.has(name.replace(/cert$/, "key")));
  const hash = createHash("sha256");
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`);
  const options = own === undefined ? {} : { cert: own[1], key: files.get(own[0].replace(/cert$/, "key")) ?? "" };
  return {
    key: hash.digest("hex"),
    context: createSecureContext({ ca: [...commonAuthorities(), ...authorities], ...options }),
  };
}

const safeName = /^[a-zA-Z0-9[][a-zA-Z0-9.:\]-]*$/;
let shared: Trust | undefined;

function common(): Trust {
  shared ??= { key: "common", context: createSecureContext({ ca: commonAuthorities() }) };
  return shared;
}

/** Node brings Mozilla's list and would pass over what an administrator added to the machine. */
function commonAuthorities(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}

async function readAll(host: string, folders: readonly string[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    const names = await readdir(join(folder, host)).catch((): string[] => []);
    for (const name of names.filter((name) => /\.(?:crt|cert|key)$/.test(name)).sort()) {
      if (!files.has(name)) files.set(name, await readFile(join(folder, host, name), "utf8"));
    }
  }
  return files;
}
