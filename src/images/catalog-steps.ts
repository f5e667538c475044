/** The tables of the catalog, step by step. */
const schema = `
  CREATE TABLE images (
    id TEXT PRIMARY KEY, manifest TEXT NOT NULL, config TEXT NOT NULL, top_chain TEXT, size_bytes INTEGER NOT NULL,
    created_ns INTEGER NOT NULL, last_tagged_ns INTEGER, embedded INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE image_blobs (image TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (image, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX image_blobs_by_digest ON image_blobs (digest);
  CREATE TABLE image_tags (repository TEXT NOT NULL, tag TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY (repository, tag)) STRICT, WITHOUT ROWID;
  CREATE INDEX image_tags_by_image ON image_tags (image);
  CREATE TABLE image_digests (repository TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY (repository, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX image_digests_by_image ON image_digests (image);
  CREATE TABLE awaited_blobs (digest TEXT PRIMARY KEY, until_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE layers (chain_id TEXT PRIMARY KEY, parent TEXT, diff_id TEXT NOT NULL, folder TEXT NOT NULL, size_bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX layers_by_folder ON layers (folder);
  CREATE TABLE roots (container TEXT PRIMARY KEY, image TEXT NOT NULL, top_chain TEXT) STRICT, WITHOUT ROWID;
  CREATE INDEX roots_by_image ON roots (image);
  CREATE TABLE image_notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

const verifiedBlobs = `
  CREATE TABLE verified_blobs (digest TEXT NOT NULL, diff_id TEXT NOT NULL, PRIMARY KEY (digest, diff_id)) STRICT, WITHOUT ROWID;
`;

/** Sizes of the writable layers that nobody writes to; NULL: to be measured. */
const rootSizes = "ALTER TABLE roots ADD COLUMN size_bytes INTEGER";

/** When an image was last pulled, made, named, or let go by a container; one of an earlier version counts as used at the change of versions. */
const lastUse = `
  ALTER TABLE images ADD COLUMN used_ns INTEGER NOT NULL DEFAULT 0;
  UPDATE images SET used_ns = unixepoch() * 1000000000;
`;

/** Roots over layers without an image, layers that no image needs yet and that a power cut may take, and holds of others by their owners. */
const stacks = `
  CREATE TABLE roots_anew (container TEXT PRIMARY KEY, image TEXT, top_chain TEXT, size_bytes INTEGER) STRICT, WITHOUT ROWID;
  INSERT INTO roots_anew SELECT container, image, top_chain, size_bytes FROM roots;
  DROP TABLE roots;
  ALTER TABLE roots_anew RENAME TO roots;
  CREATE INDEX roots_by_image ON roots (image);
  ALTER TABLE layers ADD COLUMN unsynced_in TEXT;
  CREATE TABLE stack_holds (owner TEXT NOT NULL, chain_id TEXT NOT NULL, PRIMARY KEY (owner, chain_id)) STRICT, WITHOUT ROWID;
  CREATE TABLE blob_holds (owner TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (owner, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_holds_by_digest ON blob_holds (digest);
`;

/** What a plain layer was packed to for registries, by its DiffID: packed anew it gives the same bytes. */
const packedLayers = `
  CREATE TABLE packed_layers (diff_id TEXT PRIMARY KEY, digest TEXT NOT NULL, size_bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** What brings a database of any age up to date. */
export const catalogSteps: readonly string[] = [schema, verifiedBlobs, rootSizes, lastUse, stacks, packedLayers];
