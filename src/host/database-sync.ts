import { open } from "node:fs/promises";

/**
 * Puts a database's write-ahead log on the disk, off the event loop. SQLite itself (`synchronous=NORMAL`) does so at
 * checkpoints only: the start of a container need not wait for the disk, and who must not lose a commit asks for it here.
 * Calls that come while one is under way share the next one.
 */
export class LogSync {
  readonly #path: string;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(databasePath: string) {
    this.#path = `${databasePath}-wal`;
  }

  async sync(): Promise<void> {
    if (this.#running === undefined) return await this.#start();
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        await this.#start();
      });
    await this.#next;
  }

  async #start(): Promise<void> {
    const running = syncFile(this.#path).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    await running;
  }
}

/** SQLite's locks lie on the database itself, so that this file may be opened and closed beside it. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
