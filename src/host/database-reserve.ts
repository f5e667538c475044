import type { DatabaseSync } from "node:sqlite";

const reserveBytes = 4 * 1024 * 1024;

/**
 * Makes the database and its write-ahead log as large as ordinary work needs, so that a full disk leaves room to record what happens and to
 * remove things. SQLite gives neither back: pages that come free are used again, and the log is written again from its
 * start after a checkpoint. A disk that is full already is no failure here.
 */
export function reserveRoom(sqlite: DatabaseSync): void {
  try {
    // Both through the log, which so grows to its usual size; the pages must reach the database file before they come free.
    sqlite.exec(`
      DROP TABLE IF EXISTS reserve;
      CREATE TABLE reserve (room BLOB);
      INSERT INTO reserve VALUES (zeroblob(${reserveBytes}));
      PRAGMA wal_checkpoint(FULL);
      DROP TABLE reserve;
    `);
  } catch (error) {
    const full = 13;
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
    if (code !== full) throw error;
  }
}
