import { Fault } from "#core/fault";

/** A git repository and what of it is wanted. */
export interface GitUrl {
  /** As git wants it, with credentials that it may hold. */
  readonly remote: string;
  /** Branch, tag, full name of a ref, or commit; undefined: the repository's HEAD. */
  readonly ref?: string;
  /** The folder that is wanted, without a slash at its start; empty: all. */
  readonly subdir: string;
  /** A commit, or how it begins, that the ref must be. */
  readonly checksum?: string;
  /** Undefined: not said. */
  readonly keepGitDir?: boolean;
  readonly submodules: boolean;
}

/**
 * Reads the URL of a git repository, as Docker takes them: `https://….git`, `git://…`, `ssh://…`, `git@host:path`, and (for
 * contexts) `github.com/owner/name`; then `#ref:subdir`, or `?ref=…&subdir=…` with the keys of Dockerfile 1.20. Undefined for
 * what is no repository. Fault `invalid` for a query that is not understood.
 */
export function parseGitUrl(text: string, options: { readonly short: boolean }): GitUrl | undefined {
  const [base = "", fragment] = split(text, "#");
  const [place = "", query] = /^git@|^[^/?#]+@[^/?#]+:/.test(base) && !base.includes("://") ? [base] : split(base, "?");
  const remote = remoteOf(place, options.short);
  if (remote === undefined) return undefined;
  if (remote.startsWith("-") || /[\x00-\x20\x7f]/.test(remote)) throw new Fault("invalid", "invalid git URL");
  if (query !== undefined && fragment !== undefined)
    throw new Fault("invalid", `${withoutCredentials(text)}: a git URL has either a query or a fragment`);
  return query === undefined ? { remote, ...ofFragment(fragment ?? "") } : { remote, ...ofQuery(query) };
}

/** The URL as it may be shown. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/@]*@/i, "$1").replaceAll(/[\x00-\x1f\x7f]/g, "?");
}

function remoteOf(place: string, short: boolean): string | undefined {
  if (/^https?:\/\/[^/]+\/.*\.git\/?$/.test(place)) return place;
  if (/^(?:git|ssh):\/\/[^/]+\/./.test(place)) return place;
  if (/^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^/].*|^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:\/./.test(place)) return place;
  if (short && /^github\.com\/[^/]+\/[^/]+/.test(place)) return `https://${place}`;
  return undefined;
}

function ofFragment(fragment: string): Omit<GitUrl, "remote"> {
  const [ref = "", subdir = ""] = split(fragment, ":");
  return { ...refOf(ref), subdir: subdirOf(subdir), submodules: true };
}

function ofQuery(query: string): Omit<GitUrl, "remote"> {
  let result: Omit<GitUrl, "remote"> = { subdir: "", submodules: true };
  const named = (next: string): void => {
    if (result.ref !== undefined && result.ref !== next)
      throw new Fault("invalid", "a git URL can have one of ref, tag and branch");
    result = { ...result, ...refOf(next) };
  };
  for (const [key, value] of new URLSearchParams(query)) {
    switch (key) {
      case "ref":
        named(value);
        break;
      case "tag":
        named(value.startsWith("refs/") ? value : `refs/tags/${value}`);
        break;
      case "branch":
        named(value.startsWith("refs/") ? value : `refs/heads/${value}`);
        break;
      case "commit":
      case "checksum":
        result = { ...result, checksum: checksumOf(value) };
        break;
      case "subdir":
        result = { ...result, subdir: subdirOf(value) };
        break;
      case "keep-git-dir":
        result = { ...result, keepGitDir: booleanOf(key, value) };
        break;
      case "submodules":
        result = { ...result, submodules: booleanOf(key, value) };
        break;
      default:
        throw new Fault("invalid", `unexpected query parameter ${JSON.stringify(key)} in a git URL`, {
          remedy: "Known are ref, tag, branch, commit, checksum, subdir, keep-git-dir and submodules.",
        });
    }
  }
  return result.ref === undefined && result.checksum?.length === 40 ? { ...result, ref: result.checksum } : result;
}

function refOf(ref: string): Pick<GitUrl, "ref"> {
  if (ref === "") return {};
  // What git does not take as a name (git-check-ref-format) and what could be an option or a mapping of refs.
  if (/^[-+^]|[\x00-\x20\x7f:~?*[\\]|\.\.|@\{|\.lock$|\/$/.test(ref))
    throw new Fault("invalid", `invalid git ref ${JSON.stringify(ref)}`);
  return { ref };
}

/** A commit, at least as many digits as git shows. */
export function checksumOf(text: string): string {
  if (/^[0-9a-f]{7,64}$/.test(text)) return text;
  throw new Fault("invalid", `invalid checksum ${JSON.stringify(text)} of a git commit`);
}

function subdirOf(subdir: string): string {
  const parts = subdir.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw new Fault("invalid", `invalid subdirectory ${JSON.stringify(subdir)} of a git repository`);
  return parts.join("/");
}

function booleanOf(key: string, value: string): boolean {
  if (value === "" || value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new Fault("invalid", `invalid value ${JSON.stringify(value)} of ${key} in a git URL`);
}

function split(text: string, at: string): string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
