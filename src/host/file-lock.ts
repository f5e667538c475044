import { DatabaseSync } from "node:sqlite";
import { makePrivate } from "./database.ts";

/** Takes the lock that is that file, made if it is missing; undefined when another process has it. SQLite's lock is the kernel's: it goes with the process, however it ends. */
export function lockFile(path: string): Disposable | undefined {
  makePrivate(path);
  const lock = new DatabaseSync(path);
  try {
    lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => lock.close() };
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === sqliteBusy;
}
