import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { CgroupLayout } from "../cgroups.ts";
import type { GroupCounters } from "./counters.ts";
import { readGroupV1 } from "./group-v1.ts";
import { readGroupV2 } from "./group-v2.ts";

/** Reads one group's counters again and again. */
export interface CountersReader extends Disposable {
  /** Takes some 50 µs: the kernel has the answers in memory. Fault `notFound` when the group is gone. */
  read(): GroupCounters;
}

/** A reading is five times as fast on files that are open; a group has up to 13, and the daemon needs descriptors for other things too. */
const maxOpenFiles = 4096;
let openFiles = 0;
/** No counter file is longer: memory.stat has some 2 KiB, io.stat a line for each disk. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/** Opens the counters of a group; nothing is read before `read`. */
export function openCountersReader(layout: CgroupLayout, path: string): CountersReader {
  const files = new CounterFiles(layout, path);
  const read = layout.version === 1 ? readGroupV1 : readGroupV2;
  return {
    read: () => {
      const counters = read((controller, name) => files.text(controller, name));
      files.mustHaveRead();
      return counters;
    },
    [Symbol.dispose]: () => files.close(),
  };
}

class CounterFiles {
  readonly #layout: CgroupLayout;
  readonly #path: string;
  /** By controller and name; −1: there is none. */
  readonly #descriptors = new Map<string, number>();
  #hasRead = false;

  constructor(layout: CgroupLayout, path: string) {
    this.#layout = layout;
    this.#path = path;
  }

  text(controller: string, name: string): string {
    const key = `${controller}/${name}`;
    const kept = this.#descriptors.get(key);
    if (kept === -1) return "";
    const descriptor = kept ?? this.#open(controller, name);
    if (descriptor === undefined) {
      this.#descriptors.set(key, -1);
      return "";
    }
    try {
      const length = readSync(descriptor, buffer, 0, buffer.length, 0);
      this.#hasRead = true;
      return buffer.toString("latin1", 0, length);
    } catch (error) {
      throw this.#gone(error);
    } finally {
      if (kept === undefined) this.#keep(key, descriptor);
    }
  }

  /** A group without any of the files is no group. */
  mustHaveRead(): void {
    if (this.#hasRead) return;
    this.close();
    throw this.#gone();
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) {
      if (descriptor < 0) continue;
      closeSync(descriptor);
      openFiles--;
    }
    this.#descriptors.clear();
  }

  #open(controller: string, name: string): number | undefined {
    const mount = this.#layout.mounts.get(controller) ?? this.#alwaysThere(controller);
    try {
      return mount === undefined ? undefined : openSync(join(mount, this.#path, name), "r");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** v2 counts the time of every group, also of one without the cpu controller. */
  #alwaysThere(controller: string): string | undefined {
    return this.#layout.version === 2 && controller === "cpu" ? this.#layout.hierarchies[0] : undefined;
  }

  #keep(key: string, descriptor: number): void {
    if (openFiles >= maxOpenFiles) return closeSync(descriptor);
    openFiles++;
    this.#descriptors.set(key, descriptor);
  }

  #gone(cause?: unknown): Fault {
    return new Fault("notFound", `the cgroup ${this.#path} is gone`, { cause });
  }
}
