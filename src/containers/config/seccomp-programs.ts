import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runtimeRoot } from "../life/folders.ts";
import type { Room } from "../room.ts";
import { isCrun } from "../life/runtime.ts";

/**
 * Compiled seccomp filters. libseccomp takes some 10 ms for the default profile, as long as all else of a start; crun keeps
 * the compiled program beside a container's state and takes one by annotation. So the first container with a profile has
 * it compiled, and the others share its program.
 */
export class SeccompPrograms {
  readonly #programs = new Map<string, string>();

  /** The annotation that gives a runtime the compiled profile; none when it is unknown yet or the runtime is no crun. */
  annotationsFor(runtimePath: string, profile: string | undefined): Readonly<Record<string, string>> {
    const program =
      profile === undefined || !isCrun(runtimePath) ? undefined : this.#programs.get(keyOf(runtimePath, profile));
    return program === undefined ? {} : { "run.oci.seccomp_bpf_data": program };
  }

  /**
   * What `config.json` says beside the annotation: with a compiled program a profile that allows nothing. It spares the
   * runtime the reading of the long one, and one that came not to know the annotation would start nothing unfiltered.
   */
  writtenFor(runtimePath: string, profile: string | undefined): string | undefined {
    const isCompiled = Object.keys(this.annotationsFor(runtimePath, profile)).length > 0;
    return isCompiled && profile !== undefined ? `{"defaultAction":"SCMP_ACT_ERRNO"${flagsOf(profile)}}` : profile;
  }

  /** Whether there is a program to be learnt from a container with that profile. */
  wants(runtimePath: string, profile: string | undefined): boolean {
    return profile !== undefined && isCrun(runtimePath) && !this.#programs.has(keyOf(runtimePath, profile));
  }

  /** Takes the program over from a container that just started with the profile, or from where it was saved. */
  async learn(
    room: Pick<Room, "host">,
    runtimePath: string,
    profile: string | undefined,
    id: string,
    path = programPath(room, id),
  ): Promise<void> {
    if (profile === undefined || !this.wants(runtimePath, profile)) return;
    const key = keyOf(runtimePath, profile);
    // A container that ended already took its state along: the next one will do.
    const program = await readFile(path).catch(() => undefined);
    if (program === undefined || program.length === 0 || program.length % instructionBytes !== 0) return;
    if (this.#programs.size >= mostPrograms) this.#programs.clear();
    this.#programs.set(key, program.toString("base64"));
  }
}

/** Where crun keeps a container's compiled filter while there is the container. */
export function programPath({ host }: Pick<Room, "host">, id: string): string {
  return join(runtimeRoot(host.paths), id, "seccomp.bpf");
}

/** A person's profile may have flags, which are not part of the program. */
function flagsOf(profile: string): string {
  if (!profile.includes('"flags":[')) return "";
  const { flags } = JSON.parse(profile) as { flags?: readonly string[] };
  return flags === undefined ? "" : `,"flags":${JSON.stringify(flags)}`;
}

/** sizeof(struct sock_filter) */
const instructionBytes = 8;
const mostPrograms = 32;

function keyOf(runtimePath: string, profile: string): string {
  return `${runtimePath}\n${profile}`;
}
