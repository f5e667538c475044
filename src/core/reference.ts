import { type Digest, isDigest } from "./digest.ts";
import { Fault } from "./fault.ts";

/** A normalised image reference: `docker.io/library/nginx:latest`, `host:5000/a/b@sha256:…` (distribution's reference grammar, Docker's defaults). */
export interface Reference {
  /** Registry host, with port if given: `docker.io`. */
  readonly domain: string;
  /** Repository path without the host: `library/nginx`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const tagForm = /^[\w][\w.-]{0,127}$/;
const componentForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const domainForm =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;

/** Checks and normalises what a person typed; without tag and digest the tag stays absent (see `withDefaultTag`). Faults: `invalid`, Docker's wording. */
export function parseReference(text: string): Reference {
  if (text === "") throw malformed(text);
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw new Fault("invalid", `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw malformed(text);
  const { name, tag } = splitTag(at < 0 ? text : text.slice(0, at));
  if (tag !== undefined && !tagForm.test(tag)) throw malformed(text);
  const { domain, path } = splitDomain(name);
  if (path.toLowerCase() !== path) {
    throw new Fault("invalid", `invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!domainForm.test(domain) || !path.split("/").every((part) => componentForm.test(part))) throw malformed(text);
  if (`${domain}/${path}`.length > 255) {
    throw new Fault("invalid", "repository name must not be more than 255 characters");
  }
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** The reference with `latest` where it names neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;
}

/** The full form: `docker.io/library/nginx:latest`. */
export function canonical(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The short form that Docker shows: `nginx:latest`. */
export function familiar(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** The short form of the repository alone: `nginx`, `localhost:5000/a`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== "docker.io") return `${reference.domain}/${reference.path}`;
  return reference.path.startsWith("library/") ? reference.path.slice("library/".length) : reference.path;
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function splitTag(text: string): { name: string; tag: string | undefined } {
  const colon = text.lastIndexOf(":");
  if (colon <= text.lastIndexOf("/")) return { name: text, tag: undefined };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = first !== "" && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  if (!isDomain) return { domain: "docker.io", path: slash < 0 ? `library/${name}` : name };
  const domain = first === "index.docker.io" ? "docker.io" : first;
  const path = name.slice(slash + 1);
  return { domain, path: domain === "docker.io" && !path.includes("/") ? `library/${path}` : path };
}

function malformed(text: string): Fault {
  return new Fault("invalid", "invalid reference format", {
    remedy:
      text === ""
        ? "Give an image name such as alpine:3.20."
        : `“${text.slice(0, 200)}” is not an image name such as alpine:3.20 or host:5000/team/app.`,
  });
}
