import type { VolumeRecord } from "../records.ts";
import { findPlugin } from "./discover.ts";
import { PluginDriver } from "./plugin-driver.ts";

/** The volume plugins of this machine. One is spoken to when a volume of it was asked for; others are left alone. */
export class Plugins {
  readonly #folders: readonly string[];
  readonly #known: Set<string>;
  /** Sockets that have said they are volume drivers. */
  readonly #active = new Set<string>();

  constructor(folders: readonly string[], inUse: Iterable<string>) {
    this.#folders = folders;
    this.#known = new Set(inUse);
  }

  /** Faults: `notFound` when there is none of that name, `unavailable` when it does not answer. */
  async driver(name: string): Promise<PluginDriver> {
    const socket = await findPlugin(name, this.#folders);
    const driver = new PluginDriver(name, socket);
    if (!this.#active.has(socket)) await driver.activate();
    this.#active.add(socket);
    this.#known.add(name);
    return driver;
  }

  /** A volume that one of them has, though nobody made it here. */
  async find(name: string): Promise<VolumeRecord | undefined> {
    const { found } = await this.list();
    return found.find((record) => record.name === name);
  }

  /** All that they have, and the words of those that did not answer. */
  async list(): Promise<{ readonly found: readonly VolumeRecord[]; readonly warnings: readonly string[] }> {
    const warnings: string[] = [];
    const found = await Promise.all(
      [...this.#known].map(async (driver): Promise<VolumeRecord[]> => {
        try {
          const names = await (await this.driver(driver)).names();
          return names.map((name) => ({ name, driver, createdNs: 0n, labels: {}, options: {} }));
        } catch (error) {
          warnings.push(error instanceof Error ? error.message : String(error));
          return [];
        }
      }),
    );
    return { found: found.flat(), warnings };
  }
}
