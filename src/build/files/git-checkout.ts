import { lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { posix } from "node:path";
import { join } from "node:path";
import { Fault } from "#core/fault";
import { type Git, GitFailure } from "./git-program.ts";
import { type GitUrl, parseGitUrl, withoutCredentials } from "./git-url.ts";

const deepestSubmodule = 8;
const submodulesLimit = 200;

/**
 * Puts the files of a commit into `work` of a private folder: one commit deep, submodules too. What talks to the servers writes
 * nothing but git's own objects; the files are written by a git that sees that folder alone. Answers the commit.
 */
export async function checkOut(git: Git, folder: string, url: GitUrl, keepGitDir: boolean): Promise<string> {
  const state = { git, folder, repositories: 0 };
  await mkdir(join(folder, "work"), { mode: 0o755 });
  const { commit, repository } = await checkOutInto(state, url, "work", 0);
  if (keepGitDir) await keepRepository(state, url, repository, commit);
  return commit;
}

interface State {
  readonly git: Git;
  /** Seen as `/tree` by the git that writes files. */
  readonly folder: string;
  repositories: number;
}

async function checkOutInto(
  state: State,
  url: GitUrl,
  work: string,
  depth: number,
): Promise<{ readonly commit: string; readonly repository: string }> {
  const { git, folder } = state;
  if (depth > deepestSubmodule || state.repositories >= submodulesLimit)
    throw new Fault("tooLarge", `${withoutCredentials(url.remote)} has too many submodules`);
  const repository = `repository${state.repositories++}`;
  await git.fetch(folder, ["init", "--quiet", "--bare", "--template=", repository]);
  // In the file rather than on the command line, which every process can read.
  await writeFile(join(folder, repository, "remote"), `[remote "origin"]\n\turl = ${quoted(url.remote)}\n`, {
    mode: 0o600,
  });
  await git.fetch(join(folder, repository), ["config", "include.path", "remote"]);
  const commit = await fetchCommit(git, join(folder, repository), url);
  await git.inside(folder, [
    `--git-dir=/tree/${repository}`,
    `--work-tree=/tree/${work}`,
    "checkout",
    "--quiet",
    "--force",
    "--detach",
    commit,
  ]);
  if (url.submodules) await checkOutSubmodules(state, url, { repository, commit, work, depth });
  return { commit, repository };
}

/** One commit deep where the server gives it, else with all of its history: what a commit's name begins with can only be looked up there. */
async function fetchCommit(git: Git, repository: string, url: GitUrl): Promise<string> {
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
  const ref = url.ref ?? "HEAD";
  let commit: string;
  try {
    await git.fetch(repository, [...fetch, "--depth=1", "origin", ref]);
    commit = await commitOf(git, repository, "FETCH_HEAD");
  } catch (error) {
    if (!(error instanceof GitFailure) || !/^[0-9a-f]{7,64}$/.test(ref)) throw error;
    await git.fetch(repository, [...fetch, "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
    commit = await commitOf(git, repository, ref);
  }
  if (url.checksum !== undefined && !commit.startsWith(url.checksum))
    throw new Fault("invalid", `expected checksum to match ${url.checksum}, got ${commit}`);
  return commit;
}

async function commitOf(git: Git, repository: string, name: string): Promise<string> {
  const commit = (
    await git.fetch(repository, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`])
  ).trim();
  if (!/^[0-9a-f]{40,64}$/.test(commit)) throw new Fault("internal", "git did not tell the commit");
  return commit;
}

interface Checkout {
  readonly repository: string;
  readonly commit: string;
  readonly work: string;
  readonly depth: number;
}

async function checkOutSubmodules(
  state: State,
  url: GitUrl,
  { repository, commit, work, depth }: Checkout,
): Promise<void> {
  const { git, folder } = state;
  const links = linksOf(await git.inside(folder, [`--git-dir=/tree/${repository}`, "ls-tree", "-r", "-z", commit]));
  if (links.size === 0 || !(await isPlainFile(join(folder, work, ".gitmodules")))) return;
  const listed = await git.inside(folder, ["config", "--file", `/tree/${work}/.gitmodules`, "--null", "--list"]);
  for (const module of submodulesOf(listed)) {
    const wanted = links.get(module.path);
    if (wanted === undefined) continue;
    const remote = posixRemote(url.remote, module.url);
    // git itself refuses what the list of protocols does not have; this refuses what git would take for an option or a path.
    if (parseGitUrl(`${remote.replace(/(?:\.git)?\/?$/, "")}.git`, { short: false }) === undefined)
      throw new Fault(
        "invalid",
        `submodule ${JSON.stringify(module.path)}: ${withoutCredentials(remote)} is no URL of a git repository`,
      );
    await checkOutInto(
      state,
      { remote, ref: wanted, subdir: "", submodules: true },
      `${work}/${module.path}`,
      depth + 1,
    );
  }
}

/** Commits of submodules by their paths. */
function linksOf(listing: string): ReadonlyMap<string, string> {
  const links = new Map<string, string>();
  for (const line of listing.split("\0")) {
    const match = /^160000 commit ([0-9a-f]{40,64})\t(.+)$/s.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) links.set(match[2], match[1]);
  }
  return links;
}

function submodulesOf(listed: string): { readonly path: string; readonly url: string }[] {
  const modules = new Map<string, { path?: string; url?: string }>();
  for (const record of listed.split("\0")) {
    const match = /^submodule\.(.+)\.(path|url)\n([\s\S]*)$/.exec(record);
    if (match?.[1] === undefined || match[3] === undefined) continue;
    const module = modules.get(match[1]) ?? {};
    module[match[2] === "path" ? "path" : "url"] = match[3];
    modules.set(match[1], module);
  }
  return [...modules.values()].flatMap(({ path, url }) =>
    path === undefined || url === undefined ? [] : [{ path, url }],
  );
}

/** `../other.git` is beside the repository that says so. */
function posixRemote(base: string, url: string): string {
  if (!url.startsWith("./") && !url.startsWith("../")) return url;
  const match = /^([a-z+]+:\/\/[^/]+|[^/]+@[^/:]+:)(.*)$/.exec(base);
  if (match?.[1] === undefined || match[2] === undefined) return url;
  const path = posix.join("/", match[2], url);
  return match[1].includes("://")
    ? `${match[1]}${path}`
    : `${match[1]}${match[2].startsWith("/") ? path : path.slice(1)}`;
}

async function isPlainFile(path: string): Promise<boolean> {
  return await lstat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** Makes the repository that the files came from theirs, with nothing in it that differs from time to time. */
async function keepRepository({ git, folder }: State, url: GitUrl, repository: string, commit: string): Promise<void> {
  const inside = async (...args: string[]): Promise<string> =>
    await git.inside(folder, [`--git-dir=/tree/${repository}`, ...args]);
  await inside("config", "--unset", "include.path");
  await inside("config", "core.bare", "false");
  await inside("config", "remote.origin.url", withoutCredentials(url.remote));
  await inside("read-tree", commit); // an index without times
  for (const name of ["remote", "FETCH_HEAD", "ORIG_HEAD", "logs"])
    await rm(join(folder, repository, name), { recursive: true, force: true });
  await rm(join(folder, "work", ".git"), { recursive: true, force: true });
  await rename(join(folder, repository), join(folder, "work", ".git"));
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}
