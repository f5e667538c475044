import { join } from "node:path";
import { Fault } from "#core/fault";
import type { CgroupLayout } from "../cgroups.ts";
import type { GroupCounters } from "./counters.ts";
import { readGroupV1 } from "./group-v1.ts";
import { readGroupV2 } from "./group-v2.ts";
import { KeptFile } from "./kept-file.ts";

/** Reads one group's counters again and again. */
export interface CountersReader extends Disposable {
  /** Takes some 100 µs: the kernel has the answers in memory. Fault `notFound` when the group is gone. */
  read(): GroupCounters;
}

/** Opens the counters of a group; nothing is read before `read`. */
export function openCountersReader(layout: CgroupLayout, path: string): CountersReader {
  const files = new CounterFiles(layout, path);
  const read = layout.version === 1 ? readGroupV1 : readGroupV2;
  return {
    read: () => {
      files.found = 0;
      const counters = read((controller, name) => files.text(controller, name));
      if (files.found === 0) throw new Fault("notFound", `the cgroup ${path} is gone`);
      return counters;
    },
    [Symbol.dispose]: () => files.close(),
  };
}

class CounterFiles {
  /** How many files could be read; a group that has none is gone. */
  found = 0;
  readonly #layout: CgroupLayout;
  readonly #path: string;
  readonly #files = new Map<string, KeptFile>();

  constructor(layout: CgroupLayout, path: string) {
    this.#layout = layout;
    this.#path = path;
  }

  text(controller: string, name: string): string {
    const text = (this.#files.get(name) ?? this.#add(controller, name))?.read();
    if (text !== undefined) this.found++;
    return text ?? "";
  }

  close(): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  #add(controller: string, name: string): KeptFile | undefined {
    const mount = this.#layout.mounts.get(controller) ?? this.#alwaysThere(controller);
    if (mount === undefined) return undefined;
    const file = new KeptFile(join(mount, this.#path, name));
    this.#files.set(name, file);
    return file;
  }

  /** v2 counts the time of every group, also of one without the cpu controller. */
  #alwaysThere(controller: string): string | undefined {
    return this.#layout.version === 2 && controller === "cpu" ? this.#layout.hierarchies[0] : undefined;
  }
}
