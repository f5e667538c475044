import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The annotation by which crun takes a compiled filter and spares itself the compiling (crun(1)). */
export const compiledFilterAnnotation = "run.oci.seccomp_bpf_data";

/**
 * What crun compiled from our seccomp profiles. Compiling costs more than all the rest of a start; the result is the same
 * for the same profile, so it is taken from the first container that runs with it and handed to the next ones. Kept in
 * memory only, so that a new crun or libseccomp compiles anew with the next daemon.
 */
export class CompiledFilters {
  readonly #filters = new Map<string, string>();

  /** The filter for a profile (its JSON text), base64; undefined until one was learned. */
  find(profile: string): string | undefined {
    return this.#filters.get(profile);
  }

  /** Reads the filter that crun keeps beside the state of a running container. The container may have ended already: then the next one is asked. */
  async learn(profile: string, stateFolder: string): Promise<void> {
    if (this.#filters.has(profile)) return;
    const filter = await readFile(join(stateFolder, "seccomp.bpf")).catch(() => undefined);
    // A filter is a whole number of 8-byte instructions (struct sock_filter), at most BPF_MAXINSNS of them.
    if (filter === undefined || filter.length === 0 || filter.length % 8 !== 0 || filter.length > 4096 * 8) return;
    if (this.#filters.size >= keptFilters) this.#filters.clear();
    this.#filters.set(profile, filter.toString("base64"));
  }
}

const keptFilters = 32;
