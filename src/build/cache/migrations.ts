/** The steps of the room's tables. */
export const migrations: readonly string[] = [
  `CREATE TABLE build_cache (
     key TEXT PRIMARY KEY, below TEXT, stack TEXT, layer TEXT, description TEXT NOT NULL, size_bytes INTEGER NOT NULL,
     created_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL, uses INTEGER NOT NULL, outline TEXT
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX build_cache_by_outline ON build_cache (outline) WHERE outline IS NOT NULL;
   CREATE TABLE build_slot (slot TEXT PRIMARY KEY, ingredients TEXT NOT NULL, used_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE build_selection (
     key TEXT PRIMARY KEY, names TEXT NOT NULL, digest TEXT NOT NULL, used_ns INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE build_cache_mount (
     folder TEXT PRIMARY KEY, id TEXT NOT NULL, created_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL, uses INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE build (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, started_ns INTEGER NOT NULL, ended_ns INTEGER, status TEXT NOT NULL, error TEXT,
     steps INTEGER NOT NULL, cached_steps INTEGER NOT NULL, image TEXT, tags TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
];
