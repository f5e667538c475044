import { Fault, isFault } from "#core/fault";
import type { Shim } from "#host";
import { noSpace, withSpace } from "./disk-space.ts";
import { withoutCredentials } from "./git-url.ts";

const timeLimitMs = 30 * 60_000;

/** How git is run: never asking anybody, with nobody's configuration, hooks or helpers. */
export interface Git {
  /** Talks to a server; `folder` is where. */
  fetch(folder: string, args: readonly string[]): Promise<string>;
  /** Works in a tree that is its whole world, without a network. */
  inside(tree: string, args: readonly string[]): Promise<string>;
}

/** The failure of a git that ran. */
export class GitFailure extends Fault {}

/** git, run by the shim. Fault `unsupported` where there is none; `GitFailure` with git's words. */
export function openGit(
  shim: Shim,
  url: string,
  options: { readonly sshAgent?: string; readonly environment: Readonly<Record<string, string | undefined>> },
  signal: AbortSignal,
): Git {
  const environment = {
    ...quiet,
    ...proxiesOf(options.environment),
    ...(options.sshAgent !== undefined && { SSH_AUTH_SOCK: options.sshAgent }),
  };
  const run = async (program: Parameters<Shim["runToEnd"]>[0]): Promise<string> => {
    const { code, timedOut, stdout, stderr } = await withSpace(
      program.tree ?? program.cwd ?? "/",
      signal,
      async (whileSpace) => await runOrSay(shim, program, whileSpace),
    );
    signal.throwIfAborted();
    if (timedOut) throw new Fault("unavailable", `git: ${withoutCredentials(url)} did not answer in time`);
    if (code !== 0) throw failure(url, stderr);
    return Buffer.from(stdout).toString("utf8");
  };
  return {
    fetch: async (folder, args) => await run({ argv: command(args), cwd: folder, env: environment, timeLimitMs }),
    inside: async (tree, args) => await run({ argv: command(args), tree, env: quiet, timeLimitMs }),
  };
}

/** Equal modes for everybody, whatever mask the daemon was started with. */
function command(args: readonly string[]): string[] {
  return ["sh", "-c", 'umask 022; exec git "$@"', "git", ...settings.flatMap((setting) => ["-c", setting]), ...args];
}

const settings: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.symlinks=true",
  "core.autocrlf=false",
  "core.protectNTFS=false",
  "credential.helper=",
  "init.defaultBranch=main",
  "gc.auto=0",
  "maintenance.auto=false",
  "transfer.bundleURI=false",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
  "http.followRedirects=initial",
  "submodule.recurse=false",
  "safe.directory=*",
  "advice.detachedHead=false",
];

const quiet: Readonly<Record<string, string>> = {
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "/bin/false",
  SSH_ASKPASS: "/bin/false",
  GIT_ALLOW_PROTOCOL: "https:http:git:ssh",
  GIT_LFS_SKIP_SMUDGE: "1",
  // Keys of hosts are the administrator's to trust: nobody is here to be asked.
  GIT_SSH_COMMAND:
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/root/.ssh/known_hosts -o ConnectTimeout=30",
  LC_ALL: "C",
};

/** As git's own client of http understands them. */
function proxiesOf(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = ["http_proxy", "https_proxy", "no_proxy"];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name] || environment[name.toUpperCase()];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function runOrSay(
  shim: Shim,
  program: Parameters<Shim["runToEnd"]>[0],
  signal: AbortSignal,
): ReturnType<Shim["runToEnd"]> {
  try {
    const ended = await shim.runToEnd(program, signal);
    if (ended.code === 127) throw new Fault("notFound", "git: no such program");
    return ended;
  } catch (error) {
    if (!isFault(error, "notFound")) throw error;
    throw new Fault("unsupported", "git is not installed on the daemon's machine", {
      cause: error,
      remedy: "Install the package git there, or send the repository's files as the context.",
    });
  }
}

function failure(url: string, stderr: string): Fault {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return noSpace();
  const words = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^(?:fatal|error|remote|ssh|Host key|Permission)/.test(line))
    .map(withoutAnyCredentials)
    .join("; ")
    .slice(0, 500);
  const message = `git: ${withoutCredentials(url)}: ${words || "failed"}`;
  if (/not found|couldn't find remote ref|not our ref|no such ref|does not exist|not exported/i.test(words))
    return new GitFailure("notFound", message);
  if (/Authentication failed|could not read Username|Permission denied|terminal prompts disabled/i.test(words))
    return new GitFailure("unauthorized", message, { remedy: "Give the URL credentials, or an SSH agent by --ssh." });
  if (/Host key verification failed/i.test(words))
    return new GitFailure("unauthorized", message, {
      remedy: "Add the host's key to /etc/ssh/ssh_known_hosts on the daemon's machine.",
    });
  if (/transport '.*' not allowed/.test(words)) return new GitFailure("invalid", message);
  return new GitFailure("unavailable", message);
}

function withoutAnyCredentials(line: string): string {
  return line.replaceAll(/([a-z+]+:\/\/)[^/@\s]*@/gi, "$1").replaceAll(/[^\x20-\x7e]/g, "?");
}
