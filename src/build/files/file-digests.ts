import { setImmediate as pause } from "node:timers/promises";
import type { Clock } from "#core/clock";
import type { Database } from "#host";
import type { FileFacts } from "./file-facts.ts";

/** Remembers what files' contents are, so that an unchanged tree is not read again. */
export interface FileDigests {
  /** Puts the digest of each file that is known into `content`. */
  recall(files: readonly KnownFile[]): Promise<void>;
  /** Remembers the digests of files that were read after `readNs`. */
  remember(files: readonly KnownFile[], readNs: bigint): Promise<void>;
}

export interface KnownFile {
  readonly facts: FileFacts;
  content?: string;
}

const rowLimit = 400_000;
/** A file that was changed within so long before it was read may change again without its times showing it: some file systems count in two seconds. */
const settledNs = 2_500_000_000n;
const slice = 200;

/** Opens what is remembered, in the daemon's database; at most 400,000 files, those that were not asked for longest go first. */
export function openFileDigests(database: Database, clock: Clock): FileDigests {
  database.migrate("build-files", migrations);
  let rows = database.get<{ count: number }>("SELECT count(*) AS count FROM file_digests")?.count ?? 0;
  return {
    async recall(files) {
      const day = dayOf(clock.now());
      for (let at = 0; at < files.length; at += slice) {
        if (at > 0) await pause();
        database.transaction(() => {
          for (const file of files.slice(at, at + slice)) recallOne(database, file, day);
        });
      }
    },
    async remember(files, readNs) {
      const day = dayOf(clock.now());
      const settled = files.filter((file) => isSettled(file.facts, readNs));
      for (let at = 0; at < settled.length; at += slice) {
        if (at > 0) await pause();
        database.transaction(() => {
          for (const file of settled.slice(at, at + slice)) rows += rememberOne(database, file, day);
        });
      }
      while (rows > rowLimit) {
        const removed = database.run(oldest, slice);
        if (removed === 0) break;
        rows -= removed;
        await pause();
      }
    },
  };
}

const migrations: readonly string[] = [
  `CREATE TABLE file_digests (
     inode BLOB PRIMARY KEY, version BLOB NOT NULL, content BLOB NOT NULL, used_day INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX file_digests_used ON file_digests (used_day);`,
];

const oldest = "DELETE FROM file_digests WHERE inode IN (SELECT inode FROM file_digests ORDER BY used_day LIMIT ?)";

interface Row {
  readonly version: Uint8Array;
  readonly content: Uint8Array;
  readonly used_day: number;
}

function recallOne(database: Database, file: KnownFile, day: number): void {
  const inode = Buffer.from(file.facts.inode, "latin1");
  const row = database.get<Row>("SELECT version, content, used_day FROM file_digests WHERE inode = ?", inode);
  if (row === undefined || Buffer.from(row.version).toString("latin1") !== file.facts.version) return;
  file.content = Buffer.from(row.content).toString("hex");
  if (row.used_day !== day) database.run("UPDATE file_digests SET used_day = ? WHERE inode = ?", day, inode);
}

/** Answers how many rows more there are. */
function rememberOne(database: Database, { facts, content }: KnownFile, day: number): number {
  if (content === undefined) return 0;
  const [inode, version] = [Buffer.from(facts.inode, "latin1"), Buffer.from(facts.version, "latin1")];
  const digest = Buffer.from(content, "hex");
  const replaced = database.run(
    "UPDATE file_digests SET version = ?, content = ?, used_day = ? WHERE inode = ?",
    version,
    digest,
    day,
    inode,
  );
  if (replaced > 0) return 0;
  return database.run(
    "INSERT INTO file_digests (inode, version, content, used_day) VALUES (?, ?, ?, ?)",
    inode,
    version,
    digest,
    day,
  );
}

function isSettled({ mtimeNs, ctimeNs }: FileFacts, readNs: bigint): boolean {
  const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  return newest + settledNs < readNs;
}

function dayOf(timeNs: bigint): number {
  return Number(timeNs / 86_400_000_000_000n);
}
