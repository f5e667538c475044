/** The programs that work on mounts of running containers, by container: such a mount keeps a file system alive, so the next start waits for their end. */
export class OpenViews {
  readonly #programs = new Map<string, Set<OpenProgram>>();

  /** Remembers a program until it has ended. */
  add(id: string, program: OpenProgram): void {
    const programs = this.#programs.get(id) ?? new Set();
    this.#programs.set(id, programs.add(program));
    const forget = (): void => {
      programs.delete(program);
      if (programs.size === 0 && this.#programs.get(id) === programs) this.#programs.delete(id);
    };
    program.ended.then(forget, forget);
  }

  /** Ends those of a container that does not run any more; resolves when they are gone. */
  async end(id: string): Promise<void> {
    const programs = [...(this.#programs.get(id) ?? [])];
    for (const { abort } of programs) abort.abort();
    await Promise.allSettled(programs.map(async ({ ended }) => await ended));
  }
}

interface OpenProgram {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
}
