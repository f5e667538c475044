import type { Clock } from "#core/clock";
import { type Digest, isDigest } from "#core/digest";
import type { ImageConfig } from "#core/oci";
import type { Reference } from "#core/reference";
import type { Database } from "#host";
import { catalogSteps } from "./catalog-steps.ts";
import { chainIdsOf } from "./chain-id.ts";

/** An image as the catalog keeps it. */
export interface ImageRecord {
  readonly id: Digest;
  readonly manifest: Digest;
  readonly config: ImageConfig;
  /** ChainID of all layers; undefined for an image without layers. */
  readonly topChain: Digest | undefined;
  readonly sizeBytes: number;
  readonly createdNs: bigint;
  readonly lastTaggedNs: bigint | undefined;
  /** When it was last pulled, made, named, or let go by a container. */
  readonly usedNs: bigint;
  /** Built in: hidden while it has no tag, and never removed. */
  readonly embedded: boolean;
}

/** A name of an image: either by tag or by digest. */
export type ImageName =
  | { readonly kind: "tag"; readonly repository: string; readonly tag: string }
  | { readonly kind: "digest"; readonly repository: string; readonly digest: Digest };

/** A layer that is unpacked; `folder` is its place in the snapshot driver. */
export interface LayerRecord {
  readonly chainId: Digest;
  readonly parent: Digest | undefined;
  readonly diffId: Digest;
  readonly folder: string;
  readonly sizeBytes: number;
  /** The boot of the machine in which alone it is known to be whole: its files may not be on the disk yet. Absent: they are. */
  readonly unsyncedIn?: string;
}

/** A container's writable layer, and with it a hold on the image and on its layers. */
export interface RootRecord {
  readonly container: string;
  /** Undefined: it stands on layers of no image. */
  readonly image: Digest | undefined;
  readonly topChain: Digest | undefined;
}

/** What a new image record is made from. */
export interface NewImage {
  readonly id: Digest;
  readonly manifest: Digest;
  readonly config: ImageConfig;
  readonly embedded: boolean;
  /** Every blob that it needs: manifest, config, layers, the index. */
  readonly blobs: readonly Digest[];
  readonly names: readonly ImageName[];
}

/** The records of the room: images and their names, blobs, layers, containers' roots. All calls are synchronous. */
export class Catalog {
  readonly #database: Database;
  readonly #clock: Clock;
  #namesChanged: () => void = () => undefined;
  /** How often something with files was taken out of the records, and up to where that is on the disk. */
  #forgotten = 0;
  #settledForgotten = 0;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    database.migrate("images", catalogSteps);
  }

  /** Calls back after every change of a name, within the change's transaction. */
  watchNames(changed: () => void): void {
    this.#namesChanged = changed;
  }

  transaction<Result>(work: () => Result): Result {
    return this.#database.transaction(work);
  }

  /** Resolves when all changes until now outlive a power cut: before somebody is told that they are done. */
  async settled(): Promise<void> {
    const forgotten = this.#forgotten;
    await this.#database.sync();
    this.#settledForgotten = Math.max(this.#settledForgotten, forgotten);
  }

  /** The same for what was taken out of the records: before the files of it go. */
  async removalsSettled(): Promise<void> {
    if (this.#settledForgotten < this.#forgotten) await this.settled();
  }

  image(id: Digest): ImageRecord | undefined {
    const row = this.#database.get<ImageRow>("SELECT * FROM images WHERE id = ?", id);
    return row === undefined ? undefined : imageOf(row);
  }

  /** Ids of the images that begin so; `prefix` with `sha256:`. At most two. */
  imagesWithPrefix(prefix: string): Digest[] {
    const rows = this.#database.all<{ id: Digest }>(
      "SELECT id FROM images WHERE substr(id, 1, ?) = ? LIMIT 2",
      prefix.length,
      prefix,
    );
    return rows.map((row) => row.id);
  }

  images(): ImageRecord[] {
    return this.#database.all<ImageRow>("SELECT * FROM images ORDER BY created_ns DESC, id").map(imageOf);
  }

  /** The image that a name points at: by digest when it has one, else by tag. */
  resolve(name: Reference): Digest | undefined {
    const repository = repositoryOf(name);
    const sql =
      name.digest === undefined
        ? "SELECT image FROM image_tags WHERE repository = ? AND tag = ?"
        : "SELECT image FROM image_digests WHERE repository = ? AND digest = ?";
    return this.#database.get<{ image: Digest }>(sql, repository, name.digest ?? name.tag ?? "latest")?.image;
  }

  /** All names of an image, tags first, each sorted. */
  namesOf(id: Digest): ImageName[] {
    const tags = this.#database.all<{ repository: string; tag: string }>(
      "SELECT repository, tag FROM image_tags WHERE image = ? ORDER BY repository, tag",
      id,
    );
    const digests = this.#database.all<{ repository: string; digest: Digest }>(
      "SELECT repository, digest FROM image_digests WHERE image = ? ORDER BY repository, digest",
      id,
    );
    return [
      ...tags.map(({ repository, tag }) => ({ kind: "tag", repository, tag }) as const),
      ...digests.map(({ repository, digest }) => ({ kind: "digest", repository, digest }) as const),
    ];
  }

  /** The tags of a repository, sorted. */
  tagsIn(repository: string): string[] {
    const rows = this.#database.all<{ tag: string }>(
      "SELECT tag FROM image_tags WHERE repository = ? ORDER BY tag",
      repository,
    );
    return rows.map((row) => row.tag);
  }

  /** Records an image (or finds it recorded), with its blobs and names. */
  record(image: NewImage): void {
    const created = createdNsOf(image.config);
    const chain = chainIdsOf(image.config.rootfs.diff_ids);
    this.transaction(() => {
      const sizeBytes = chain.reduce((sum, id) => sum + (this.layer(id)?.sizeBytes ?? 0), 0);
      this.#database.run(
        "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?) ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, used_ns = excluded.used_ns",
        image.id,
        image.manifest,
        JSON.stringify(image.config),
        chain.at(-1) ?? null,
        sizeBytes,
        created,
        image.embedded ? 1 : 0,
        this.#clock.now(),
      );
      for (const blob of image.blobs) {
        this.#database.run("INSERT OR IGNORE INTO image_blobs VALUES (?, ?)", image.id, blob);
        this.#database.run("DELETE FROM awaited_blobs WHERE digest = ?", blob);
      }
      for (const name of image.names) this.addName(image.id, name);
    });
  }

  /** Points a name at an image; answers the image that had it before, if another. */
  addName(id: Digest, name: ImageName): Digest | undefined {
    return this.transaction(() => {
      this.#namesChanged();
      const [table, column, value] = placeOf(name);
      const before = this.#database.get<{ image: Digest }>(
        `SELECT image FROM ${table} WHERE repository = ? AND ${column} = ?`,
        name.repository,
        value,
      )?.image;
      this.#database.run(
        `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET image = excluded.image`,
        name.repository,
        value,
        id,
      );
      const now = this.#clock.now();
      if (name.kind === "tag")
        this.#database.run("UPDATE images SET last_tagged_ns = ?, used_ns = ? WHERE id = ?", now, now, id);
      return before === id ? undefined : before;
    });
  }

  removeName(name: ImageName): void {
    this.#namesChanged();
    const [table, column, value] = placeOf(name);
    this.#database.run(`DELETE FROM ${table} WHERE repository = ? AND ${column} = ?`, name.repository, value);
  }

  blobsOf(id: Digest): Digest[] {
    return this.#database
      .all<{ digest: Digest }>("SELECT digest FROM image_blobs WHERE image = ?", id)
      .map((row) => row.digest);
  }

  /** Keeps further blobs with an image. */
  keepWith(id: Digest, blobs: readonly Digest[]): void {
    for (const blob of blobs) this.#database.run("INSERT OR IGNORE INTO image_blobs VALUES (?, ?)", id, blob);
  }

  /** The repositories, as `docker.io/library/nginx`, that are known to have had an image with that blob; sorted. */
  repositoriesWith(blob: Digest): string[] {
    const sql =
      "SELECT DISTINCT repository FROM image_digests WHERE image IN (SELECT image FROM image_blobs WHERE digest = ?) ORDER BY repository";
    return this.#database.all<{ repository: string }>(sql, blob).map((row) => row.repository);
  }

  /** What a plain layer was packed to the last time. */
  packedLayer(diffId: Digest): { readonly digest: Digest; readonly sizeBytes: number } | undefined {
    const sql = "SELECT digest, size_bytes FROM packed_layers WHERE diff_id = ?";
    const row = this.#database.get<{ digest: Digest; size_bytes: number }>(sql, diffId);
    return row === undefined ? undefined : { digest: row.digest, sizeBytes: row.size_bytes };
  }

  notePacked(diffId: Digest, { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number }): void {
    this.#database.run("INSERT OR REPLACE INTO packed_layers VALUES (?, ?, ?)", diffId, digest, sizeBytes);
  }

  /** Removes an image's record, its names and its claim on its blobs and layers. */
  forget(id: Digest): void {
    this.#namesChanged();
    this.#forgotten++;
    this.transaction(() => {
      for (const table of ["image_tags", "image_digests", "image_blobs"]) {
        this.#database.run(`DELETE FROM ${table} WHERE image = ?`, id);
      }
      this.#database.run("DELETE FROM images WHERE id = ?", id);
    });
  }

  /** Whether an image needs the blob, an unfinished pull of the last day does, or somebody holds it. */
  keepsBlob(digest: Digest): boolean {
    return (
      this.#database.get(
        "SELECT 1 FROM image_blobs WHERE digest = ?1 UNION ALL SELECT 1 FROM blob_holds WHERE digest = ?1 UNION ALL SELECT 1 FROM awaited_blobs WHERE digest = ?1 AND until_ns > ?2 LIMIT 1",
        digest,
        this.#clock.now(),
      ) !== undefined
    );
  }

  /** Keeps a blob for an unfinished pull, durably. */
  awaitBlob(digest: Digest, untilNs: bigint): void {
    this.#database.run(
      "INSERT INTO awaited_blobs VALUES (?, ?) ON CONFLICT DO UPDATE SET until_ns = excluded.until_ns",
      digest,
      untilNs,
    );
  }

  /** Keeps stacks and blobs for an owner, in place of what was kept for it before; answers the blobs that it lets go. */
  hold(owner: string, held: { readonly stacks: readonly Digest[]; readonly blobs: readonly Digest[] }): Digest[] {
    return this.transaction(() => {
      const before = this.letGo([owner]);
      for (const stack of held.stacks)
        this.#database.run("INSERT OR IGNORE INTO stack_holds VALUES (?, ?)", owner, stack);
      for (const blob of held.blobs) this.#database.run("INSERT OR IGNORE INTO blob_holds VALUES (?, ?)", owner, blob);
      const now = new Set(held.blobs);
      return before.filter((blob) => !now.has(blob));
    });
  }

  /** Keeps nothing for those owners any more; answers the blobs that were. */
  letGo(owners: readonly string[]): Digest[] {
    const listed = JSON.stringify(owners);
    const of = "WHERE owner IN (SELECT value FROM json_each(?))";
    return this.transaction(() => {
      const blobs = this.#database.all<{ digest: Digest }>(`SELECT DISTINCT digest FROM blob_holds ${of}`, listed);
      this.#forgotten++;
      for (const table of ["stack_holds", "blob_holds"]) this.#database.run(`DELETE FROM ${table} ${of}`, listed);
      return blobs.map((row) => row.digest);
    });
  }

  /** All that owners hold. */
  held(): { readonly stacks: readonly Digest[]; readonly blobs: readonly Digest[] } {
    const stacks = this.#database.all<{ chain_id: Digest }>("SELECT DISTINCT chain_id FROM stack_holds");
    const blobs = this.#database.all<{ digest: Digest }>("SELECT DISTINCT digest FROM blob_holds");
    return { stacks: stacks.map((row) => row.chain_id), blobs: blobs.map((row) => row.digest) };
  }

  /** Forgets what unfinished pulls kept past their time, and what was known of blobs that no image has and nobody holds. */
  expire(): void {
    this.#database.run("DELETE FROM awaited_blobs WHERE until_ns <= ?", this.#clock.now());
    const kept = "SELECT digest FROM image_blobs UNION ALL SELECT digest FROM blob_holds";
    this.#database.run(`DELETE FROM verified_blobs WHERE digest NOT IN (${kept})`);
    this.#database.run(`DELETE FROM packed_layers WHERE diff_id NOT IN (${kept})`);
  }

  /** Remembers that a blob was seen to unpack to that DiffID. */
  markVerified(blob: Digest, diffId: Digest): void {
    this.#database.run("INSERT OR IGNORE INTO verified_blobs VALUES (?, ?)", blob, diffId);
  }

  /** Whether a blob is known to unpack to that DiffID. */
  isVerified(blob: Digest, diffId: Digest): boolean {
    return (
      blob === diffId ||
      this.#database.get("SELECT 1 FROM verified_blobs WHERE digest = ? AND diff_id = ?", blob, diffId) !== undefined
    );
  }

  layer(chainId: Digest): LayerRecord | undefined {
    const row = this.#database.get<LayerRow>("SELECT * FROM layers WHERE chain_id = ?", chainId);
    return row === undefined ? undefined : layerOf(row);
  }

  layers(): LayerRecord[] {
    return this.#database.all<LayerRow>("SELECT * FROM layers").map(layerOf);
  }

  /** The layers of a stack, topmost first. */
  stack(topChain: Digest | undefined): LayerRecord[] {
    if (topChain === undefined) return [];
    const stack = this.#database.all<LayerRow>(stackBelow, topChain).map(layerOf);
    if (stack.length === 0 || stack.at(-1)?.parent !== undefined)
      throw new Error(`layers of ${topChain} are missing from the catalog`);
    return stack;
  }

  /** Whether a layer lives in that folder. */
  hasFolder(folder: string): boolean {
    return this.#database.get("SELECT 1 FROM layers WHERE folder = ?", folder) !== undefined;
  }

  addLayer(layer: LayerRecord): void {
    this.#database.run(
      "INSERT INTO layers (chain_id, parent, diff_id, folder, size_bytes, unsynced_in) VALUES (?, ?, ?, ?, ?, ?)",
      layer.chainId,
      layer.parent ?? null,
      layer.diffId,
      layer.folder,
      layer.sizeBytes,
      layer.unsyncedIn ?? null,
    );
  }

  /** The files of those layers are on the disk. */
  markSynced(chainIds: readonly Digest[]): void {
    const sql = "UPDATE layers SET unsynced_in = NULL WHERE chain_id IN (SELECT value FROM json_each(?))";
    this.#database.run(sql, JSON.stringify(chainIds));
  }

  /** Takes the layers out of the records that another boot left unsynced, and those that stand on them: a power cut may have taken their files. */
  forgetUnsynced(boot: string): void {
    if (this.#database.run(unsyncedLayers, boot) > 0) this.#forgotten++;
  }

  removeLayer(chainId: Digest): void {
    this.#database.run("DELETE FROM layers WHERE chain_id = ?", chainId);
  }

  /** Whether all layers of a stack have records. */
  hasWholeStack(topChain: Digest): boolean {
    for (let at: Digest | undefined = topChain; at !== undefined;) {
      const layer = this.layer(at);
      if (layer === undefined) return false;
      at = layer.parent;
    }
    return true;
  }

  /** Takes out of the records every layer that no image, no root, no hold and none of `alsoKeep` stands on; answers them, topmost first. */
  takeUnusedLayers(alsoKeep: Iterable<Digest>): LayerRecord[] {
    return this.transaction(() => {
      const rows = this.#database.all<LayerRow>(unusedLayers, JSON.stringify([...alsoKeep]));
      for (const row of rows) this.#database.run("DELETE FROM layers WHERE chain_id = ?", row.chain_id);
      if (rows.length > 0) this.#forgotten++;
      return topmostFirst(rows.map(layerOf));
    });
  }

  /** A root's image is in use while there is the root, and was until it went. */
  addRoot(root: RootRecord): void {
    this.transaction(() => {
      this.#database.run(
        "INSERT INTO roots (container, image, top_chain) VALUES (?, ?, ?)",
        root.container,
        root.image ?? null,
        root.topChain ?? null,
      );
      if (root.image !== undefined)
        this.#database.run("UPDATE images SET used_ns = ? WHERE id = ?", this.#clock.now(), root.image);
    });
  }

  root(container: string): RootRecord | undefined {
    const row = this.#database.get<RootRow>("SELECT * FROM roots WHERE container = ?", container);
    return row === undefined
      ? undefined
      : { container: row.container, image: row.image ?? undefined, topChain: row.top_chain ?? undefined };
  }

  removeRoot(container: string): void {
    this.transaction(() => {
      const ofRoot = "id = (SELECT image FROM roots WHERE container = ?)";
      this.#database.run(`UPDATE images SET used_ns = ? WHERE ${ofRoot}`, this.#clock.now(), container);
      this.#database.run("DELETE FROM roots WHERE container = ?", container);
    });
  }

  rootContainers(): string[] {
    return this.#database.all<{ container: string }>("SELECT container FROM roots").map((row) => row.container);
  }

  holdersOf(image: Digest): string[] {
    return this.#database
      .all<{ container: string }>("SELECT container FROM roots WHERE image = ? ORDER BY container", image)
      .map((row) => row.container);
  }

  /** Remembers a small fact of the room, such as which embedded archive was taken in. */
  note(name: string, value: string): void {
    this.#database.run(
      "INSERT INTO image_notes VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
      name,
      value,
    );
  }

  noteOf(name: string): string | undefined {
    return this.#database.get<{ value: string }>("SELECT value FROM image_notes WHERE name = ?", name)?.value;
  }

  /** Makes an image built in (or no longer so). */
  setEmbedded(id: Digest, embedded: boolean): void {
    this.#database.run("UPDATE images SET embedded = ? WHERE id = ?", embedded ? 1 : 0, id);
  }

  /** The images that show, each with the topmost of its layers. */
  tops(): { readonly image: Digest; readonly topChain: Digest | undefined }[] {
    return this.#database
      .all<{ id: Digest; top_chain: Digest | null }>(`SELECT id, top_chain FROM images WHERE ${isShown}`)
      .map(({ id, top_chain: topChain }) => ({ image: id, topChain: topChain ?? undefined }));
  }

  /** The topmost layers of containers' roots. */
  rootTops(): Digest[] {
    return this.#database
      .all<{ top_chain: Digest }>("SELECT DISTINCT top_chain FROM roots WHERE top_chain IS NOT NULL")
      .map((row) => row.top_chain);
  }

  /** Sizes of all writable layers, or of one container's; null where none is kept. */
  rootSizes(container?: string): ReadonlyMap<string, number | null> {
    type Row = { container: string; size_bytes: number | null };
    const sql = "SELECT container, size_bytes FROM roots";
    const rows =
      container === undefined
        ? this.#database.all<Row>(sql)
        : this.#database.all<Row>(`${sql} WHERE container = ?`, container);
    return new Map(rows.map((row) => [row.container, row.size_bytes]));
  }

  /** Keeps the sizes of writable layers that nobody writes to. */
  keepRootSizes(sizes: readonly (readonly [container: string, sizeBytes: number])[]): void {
    if (sizes.length === 0) return;
    this.transaction(() => {
      for (const [container, sizeBytes] of sizes)
        this.#database.run("UPDATE roots SET size_bytes = ? WHERE container = ?", sizeBytes, container);
    });
  }

  forgetRootSize(container: string): void {
    const sql = "UPDATE roots SET size_bytes = NULL WHERE container = ? AND size_bytes IS NOT NULL";
    this.#database.run(sql, container);
  }

  /** How many images show. */
  count(): number {
    return this.#database.get<{ n: number }>(`SELECT count(*) AS n FROM images WHERE ${isShown}`)?.n ?? 0;
  }
}

/** The repository of a reference, as names keep it: `docker.io/library/nginx`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The names that a reference gives an image: its tag (`latest` by default), or its digest. */
export function nameOf(reference: Reference): ImageName {
  const repository = repositoryOf(reference);
  return reference.digest === undefined
    ? { kind: "tag", repository, tag: reference.tag ?? "latest" }
    : { kind: "digest", repository, digest: reference.digest };
}

/** The name as a reference. */
export function referenceOf(name: ImageName): Reference {
  const slash = name.repository.indexOf("/");
  const place = { domain: name.repository.slice(0, slash), path: name.repository.slice(slash + 1) };
  return name.kind === "tag" ? { ...place, tag: name.tag } : { ...place, digest: name.digest };
}

const isShown = "NOT embedded OR id IN (SELECT image FROM image_tags) OR id IN (SELECT image FROM image_digests)";

const stackBelow = `
  WITH RECURSIVE stack (chain_id, depth) AS (
    SELECT ?1, 0 UNION ALL SELECT layers.parent, depth + 1 FROM stack JOIN layers USING (chain_id) WHERE layers.parent IS NOT NULL)
  SELECT layers.* FROM stack JOIN layers USING (chain_id) ORDER BY depth`;

const unusedLayers = `
  WITH RECURSIVE used (chain_id) AS (
    SELECT top_chain FROM images WHERE top_chain IS NOT NULL
    UNION SELECT top_chain FROM roots WHERE top_chain IS NOT NULL
    UNION SELECT chain_id FROM stack_holds
    UNION SELECT value FROM json_each(?1)
    UNION SELECT layers.parent FROM layers JOIN used USING (chain_id) WHERE layers.parent IS NOT NULL)
  SELECT * FROM layers WHERE chain_id NOT IN (SELECT chain_id FROM used)`;

const unsyncedLayers = `
  WITH RECURSIVE lost (chain_id) AS (
    SELECT chain_id FROM layers WHERE unsynced_in IS NOT NULL AND unsynced_in <> ?1
    UNION SELECT layers.chain_id FROM layers JOIN lost ON layers.parent = lost.chain_id)
  DELETE FROM layers WHERE chain_id IN (SELECT chain_id FROM lost)`;

interface ImageRow {
  id: Digest;
  manifest: Digest;
  config: string;
  top_chain: Digest | null;
  size_bytes: number;
  created_ns: number | bigint;
  last_tagged_ns: number | bigint | null;
  embedded: number;
  used_ns: number | bigint;
}

interface LayerRow {
  chain_id: Digest;
  parent: Digest | null;
  diff_id: Digest;
  folder: string;
  size_bytes: number;
  unsynced_in: string | null;
}

interface RootRow {
  container: string;
  image: Digest | null;
  top_chain: Digest | null;
}

function imageOf(row: ImageRow): ImageRecord {
  return {
    id: row.id,
    manifest: row.manifest,
    config: JSON.parse(row.config) as ImageConfig,
    topChain: row.top_chain ?? undefined,
    sizeBytes: row.size_bytes,
    createdNs: BigInt(row.created_ns),
    lastTaggedNs: row.last_tagged_ns === null ? undefined : BigInt(row.last_tagged_ns),
    embedded: row.embedded !== 0,
    usedNs: BigInt(row.used_ns),
  };
}

function layerOf(row: LayerRow): LayerRecord {
  return {
    chainId: row.chain_id,
    parent: row.parent ?? undefined,
    diffId: row.diff_id,
    folder: row.folder,
    sizeBytes: row.size_bytes,
    ...(row.unsynced_in !== null && { unsyncedIn: row.unsynced_in }),
  };
}

function placeOf(name: ImageName): readonly [table: string, column: string, value: string] {
  return name.kind === "tag" ? ["image_tags", "tag", name.tag] : ["image_digests", "digest", name.digest];
}

/** A layer before the one that it stands on. */
function topmostFirst(layers: readonly LayerRecord[]): LayerRecord[] {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const depthOf = (layer: LayerRecord): number => {
    let depth = 0;
    for (let at = layer.parent; at !== undefined; at = byId.get(at)?.parent) depth++;
    return depth;
  };
  const depths = new Map(layers.map((layer) => [layer, depthOf(layer)]));
  return [...layers].sort((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}

/** The config's time of creation in nanoseconds; 0 where it says none or nonsense. */
function createdNsOf(config: ImageConfig): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(config.created ?? "");
  const milliseconds = match === null ? Number.NaN : Date.parse(`${match[1] ?? ""}${match[3] ?? ""}`);
  if (Number.isNaN(milliseconds)) return 0n;
  const timeNs = BigInt(milliseconds) * 1_000_000n + BigInt((match?.[2] ?? "").padEnd(9, "0"));
  return timeNs < 0n || timeNs > 9_000_000_000_000_000_000n ? 0n : timeNs;
}

/** Whether the text could be (the start of) an image id; answers it with `sha256:`. */
export function idPrefixOf(text: string): string | undefined {
  if (isDigest(text)) return text;
  const hex = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  return /^[0-9a-f]{1,64}$/.test(hex) ? `sha256:${hex}` : undefined;
}
