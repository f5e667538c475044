import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#core/clock";
import { asFault } from "#core/fault";
import { type Database, guardSpace } from "#host";
import type { WebTransport } from "#images";
import { httpGet } from "./http-get.ts";

/** A file that was fetched, in its own folder. */
export interface Downloaded {
  readonly fileName: string;
  readonly sha256: string;
  readonly modifiedSeconds: number;
}

/** Files from URLs, kept for as long as their servers say that they are the same. */
export interface Downloads {
  /** Puts what is at a URL into a folder. Faults of `httpGet`; `exhausted`. */
  fetch(url: string, folder: string, signal: AbortSignal): Promise<Downloaded>;
}

const keptBytes = 1 << 30;
const keptFileBytes = 256 << 20;

interface Row {
  readonly url: string;
  readonly etag: string;
  readonly file: string;
  readonly name: string;
  readonly sha256: string;
  readonly modified: number;
  readonly size: number;
}

/** Opens the kept downloads in a folder of the data root: 1 GiB at most, the least used go first; a file of more than 256 MiB or without an ETag is not kept. */
export async function openDownloads(
  database: Database,
  web: WebTransport,
  folder: string,
  clock: Clock,
): Promise<Downloads> {
  database.migrate("build-downloads", migrations);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const find = (key: string): Row | undefined => database.get<Row>("SELECT * FROM downloads WHERE url = ?", key);
  const downloads: Downloads = {
    async fetch(url, into, signal) {
      // A URL may hold credentials, and is only ever compared.
      const key = createHash("sha256").update(url).digest("hex");
      const known = find(key);
      const kept = known !== undefined && (await isThere(join(folder, known.file), known.size)) ? known : undefined;
      const answer = await httpGet(web, url, kept?.etag, signal);
      if (answer.unchanged && kept !== undefined) {
        for await (const _ of answer.body);
        const target = join(into, kept.name);
        await copyFile(join(folder, kept.file), target);
        if ((await hashOf(target)) === kept.sha256) {
          database.run("UPDATE downloads SET used_ns = ? WHERE url = ?", clock.now(), key);
          return { fileName: kept.name, sha256: kept.sha256, modifiedSeconds: kept.modified };
        }
        await forget(key, kept.file); // damaged on the disk: it is fetched anew
        await rm(target, { force: true });
        return await downloads.fetch(url, into, signal);
      }
      const name = answer.fileName;
      const { sha256, size } = await write(answer.body, into, name, signal).catch((error: unknown) => {
        throw asFault(error);
      });
      const modified = answer.modifiedSeconds ?? 0;
      if (answer.etag !== undefined && size <= keptFileBytes)
        await keep({ url: key, etag: answer.etag, file: "", name, sha256, modified, size }, join(into, name));
      return { fileName: name, sha256, modifiedSeconds: modified };
    },
  };
  return downloads;

  async function keep(row: Row, source: string): Promise<void> {
    const file = randomBytes(16).toString("hex");
    const before = find(row.url);
    try {
      await copyFile(source, join(folder, `${file}.part`));
      await rename(join(folder, `${file}.part`), join(folder, file));
    } catch {
      await rm(join(folder, `${file}.part`), { force: true });
      return; // it is only kept for speed
    }
    if (before !== undefined) await forget(before.url, before.file);
    database.run(
      "INSERT OR REPLACE INTO downloads (url, etag, file, name, sha256, modified, size, used_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      row.url,
      row.etag,
      file,
      row.name,
      row.sha256,
      row.modified,
      row.size,
      clock.now(),
    );
    for (;;) {
      const total =
        database.get<{ total: number }>("SELECT coalesce(sum(size), 0) AS total FROM downloads")?.total ?? 0;
      const oldest =
        total > keptBytes ? database.get<Row>("SELECT * FROM downloads ORDER BY used_ns LIMIT 1") : undefined;
      if (oldest === undefined) return;
      await forget(oldest.url, oldest.file);
    }
  }

  async function forget(key: string, file: string): Promise<void> {
    database.run("DELETE FROM downloads WHERE url = ?", key);
    await rm(join(folder, file), { force: true });
  }
}

const migrations: readonly string[] = [
  `CREATE TABLE downloads (
     url TEXT PRIMARY KEY, etag TEXT NOT NULL, file TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
     modified INTEGER NOT NULL, size INTEGER NOT NULL, used_ns INTEGER NOT NULL
   ) STRICT`,
];

async function write(
  body: AsyncIterable<Uint8Array>,
  folder: string,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly sha256: string; readonly size: number }> {
  await using file = await open(join(folder, name), "wx", 0o600);
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of guardSpace(body, folder)) {
    signal.throwIfAborted();
    hash.update(piece);
    size += piece.length;
    await file.writeFile(piece);
  }
  return { sha256: hash.digest("hex"), size };
}

async function hashOf(path: string): Promise<string> {
  await using file = await open(path, "r");
  const hash = createHash("sha256");
  for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

async function isThere(path: string, size: number): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.size === size,
    () => false,
  );
}
