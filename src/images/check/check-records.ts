import type { Digest } from "#core/digest";
import type { Database } from "#host";
import type { ImageName } from "../catalog.ts";

/** What only a check asks of the records. */
export class CheckRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Blobs that are known to unpack to that DiffID. */
  blobsOfDiff(diffId: Digest): Digest[] {
    return this.#database
      .all<{ digest: Digest }>("SELECT digest FROM verified_blobs WHERE diff_id = ?", diffId)
      .map((row) => row.digest);
  }

  imagesWithBlob(digest: Digest): Digest[] {
    return this.#database
      .all<{ image: Digest }>("SELECT image FROM image_blobs WHERE digest = ? ORDER BY image", digest)
      .map((row) => row.image);
  }

  /** Names that point at no image. */
  danglingNames(): ImageName[] {
    const tags = this.#database.all<{ repository: string; tag: string }>(
      "SELECT repository, tag FROM image_tags WHERE image NOT IN (SELECT id FROM images)",
    );
    const digests = this.#database.all<{ repository: string; digest: Digest }>(
      "SELECT repository, digest FROM image_digests WHERE image NOT IN (SELECT id FROM images)",
    );
    return [
      ...tags.map(({ repository, tag }) => ({ kind: "tag", repository, tag }) as const),
      ...digests.map(({ repository, digest }) => ({ kind: "digest", repository, digest }) as const),
    ];
  }

  /** What SQLite finds wrong with the database; at most ten lines. */
  integrityProblems(): string[] {
    const rows = this.#database.all<{ quick_check: string }>("PRAGMA quick_check(10)");
    return rows.map((row) => row.quick_check).filter((line) => line !== "ok");
  }
}
