import { chmod, chown, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#core/clock";
import { digestOf, hexOf } from "#core/digest";
import { Fault } from "#core/fault";
import { Locks } from "#core/locks";
import type { Database } from "#host";

/** A cache mount as RUN asks for it. */
export interface CacheMountRequest {
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A cache mount in use. Disposing it lets the next one have it. */
export interface HeldCacheMount extends AsyncDisposable {
  readonly folder: string;
}

/** One folder of a cache mount, as `du` lists it. */
export interface CacheMountRecord {
  /** Name of the folder. */
  readonly name: string;
  readonly id: string;
  readonly createdNs: bigint;
  readonly usedNs: bigint;
  readonly uses: number;
  readonly inUse: boolean;
}

/** The folders of cache mounts. They are no part of any result; a build that finds one empty must still work. */
export class CacheMounts {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #folder: string;
  readonly #locks = new Locks();
  readonly #users = new Map<string, number>();
  /** By folder: what it held after its last use. */
  readonly #sizes = new Map<string, { readonly usedNs: bigint; readonly bytes: number }>();

  constructor(database: Database, clock: Clock, folder: string) {
    this.#database = database;
    this.#clock = clock;
    this.#folder = folder;
  }

  /** Takes a folder; one that is new is filled by `fill` first. `locked` waits until nobody else has it, `private` gets another then. */
  async take(
    request: CacheMountRequest,
    fill: (folder: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<HeldCacheMount> {
    await using undo = new AsyncDisposableStack();
    const name = request.sharing === "private" ? this.#freeName(request.id) : nameOf(request.id, 0);
    if (request.sharing === "locked") undo.use(await this.#lock(`use ${name}`, signal));
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
    undo.defer(() => this.#release(name));
    const folder = join(this.#folder, name);
    {
      using _making = await this.#locks.take(`make ${name}`);
      if (!this.#isKnown(name)) await this.#make(name, request, fill);
    }
    this.#database.run(
      "UPDATE build_cache_mount SET used_ns = ?, uses = uses + 1 WHERE folder = ?",
      this.#clock.now(),
      name,
    );
    const held = undo.move();
    return { folder, [Symbol.asyncDispose]: async () => await held.disposeAsync() };
  }

  /** Makes a folder anew, once nobody uses it. */
  async replace(
    request: CacheMountRequest & { readonly sharing: "locked" },
    fill: (folder: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const name = nameOf(request.id, 0);
    using _lock = await this.#lock(`use ${name}`, signal);
    using _making = await this.#locks.take(`make ${name}`);
    if (this.#users.has(name)) throw new Fault("conflict", `the cache mount ${request.id} is in use`);
    this.#database.run("DELETE FROM build_cache_mount WHERE folder = ?", name);
    await this.#make(name, request, fill);
  }

  /** The folder of an id that has one. */
  folderOf(id: string): string | undefined {
    const name = nameOf(id, 0);
    return this.#isKnown(name) ? join(this.#folder, name) : undefined;
  }

  all(): CacheMountRecord[] {
    type Row = { folder: string; id: string; created_ns: number | bigint; used_ns: number | bigint; uses: number };
    return this.#database.all<Row>("SELECT * FROM build_cache_mount ORDER BY created_ns, folder").map((row) => ({
      name: row.folder,
      id: row.id,
      createdNs: BigInt(row.created_ns),
      usedNs: BigInt(row.used_ns),
      uses: row.uses,
      inUse: this.#users.has(row.folder),
    }));
  }

  /** Bytes of a folder; one that nobody uses is measured once after its last use. */
  async bytesOf(
    { name, usedNs, inUse }: CacheMountRecord,
    measure: (folder: string) => Promise<number>,
  ): Promise<number> {
    const known = this.#sizes.get(name);
    if (!inUse && known?.usedNs === usedNs) return known.bytes;
    const bytes = await measure(join(this.#folder, name));
    if (!inUse) this.#sizes.set(name, { usedNs, bytes });
    return bytes;
  }

  /** Removes a folder unless somebody uses it. */
  async remove(name: string): Promise<boolean> {
    if (this.#users.has(name)) return false;
    this.#sizes.delete(name);
    this.#database.run("DELETE FROM build_cache_mount WHERE folder = ?", name);
    await rm(join(this.#folder, name), { recursive: true, force: true });
    return true;
  }

  /** Removes what a killed daemon left unrecorded. */
  async collect(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#folder)) {
      if (!this.#isKnown(name)) await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  async #make(name: string, request: CacheMountRequest, fill: (folder: string) => Promise<void>): Promise<void> {
    const folder = join(this.#folder, name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await fill(folder);
    await chown(folder, request.uid, request.gid);
    await chmod(folder, request.mode);
    const now = this.#clock.now();
    this.#database.run("INSERT INTO build_cache_mount VALUES (?, ?, ?, ?, 0)", name, request.id, now, now);
  }

  #isKnown(name: string): boolean {
    return this.#database.get("SELECT 1 FROM build_cache_mount WHERE folder = ?", name) !== undefined;
  }

  #freeName(id: string): string {
    for (let number = 0; ; number++) {
      const name = nameOf(id, number);
      if (!this.#users.has(name)) return name;
    }
  }

  #release(name: string): void {
    const users = (this.#users.get(name) ?? 1) - 1;
    if (users === 0) this.#users.delete(name);
    else this.#users.set(name, users);
  }

  /** Waits for a lock or for the signal; a lock that comes after that is given back. */
  async #lock(key: string, signal: AbortSignal): Promise<Disposable> {
    const taking = this.#locks.take(key);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([taking, left]);
    } catch (error) {
      void taking.then((lock) => lock[Symbol.dispose]());
      throw error;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}

/** Ids are anything a person writes. */
function nameOf(id: string, number: number): string {
  return hexOf(digestOf(`${number} ${id}`));
}
