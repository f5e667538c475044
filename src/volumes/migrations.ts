/** The steps of the room's tables. */
export const migrations: readonly string[] = [
  `CREATE TABLE volume (
     name TEXT PRIMARY KEY, driver TEXT NOT NULL, created_ns INTEGER NOT NULL, labels TEXT NOT NULL, options TEXT NOT NULL,
     passing INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE volume_hold (
     volume TEXT NOT NULL REFERENCES volume (name), holder TEXT NOT NULL, PRIMARY KEY (volume, holder)
   ) STRICT;
   CREATE TABLE volume_mount (
     volume TEXT NOT NULL REFERENCES volume (name), holder TEXT NOT NULL, target TEXT NOT NULL, document TEXT NOT NULL,
     PRIMARY KEY (holder, target)
   ) STRICT`,
];
