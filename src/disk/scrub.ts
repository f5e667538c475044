import { isDigest } from "#core/digest";
import type { DiskFinding, DiskOptions } from "./disk.ts";

type ScrubOptions = Pick<DiskOptions, "host" | "images" | "scrubDays">;

/** So slow that no disk is busy with it. */
const bytesPerSecond = 16 << 20;
const dayNs = 86_400n * 1_000_000_000n;

/**
 * Reads every blob once in so many days and compares it with its digest, a few at a time: where it is, is durable, so that
 * a daemon that is often restarted comes round too.
 */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #onFinding: (finding: DiskFinding) => void;

  constructor(options: ScrubOptions, onFinding: (finding: DiskFinding) => void) {
    this.#options = options;
    this.#onFinding = onFinding;
    options.host.database.migrate("disk", [
      "CREATE TABLE scrub (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), begun_ns INTEGER NOT NULL, last TEXT NOT NULL) STRICT",
    ]);
  }

  /** Reads what is due by now. */
  async step(signal: AbortSignal): Promise<void> {
    const { host, images, scrubDays } = this.#options;
    if (scrubDays === 0) return;
    const nowNs = host.clock.now();
    const periodNs = BigInt(scrubDays) * dayNs;
    let { begunNs, last } = this.#place(nowNs);
    const blobs = await images.blobs();
    if (nowNs - begunNs >= periodNs && last >= (blobs.at(-1) ?? "")) {
      begunNs = nowNs;
      last = "";
      this.#keep(begunNs, last);
    }
    const due = Math.min(blobs.length, Math.ceil((blobs.length * Number(nowNs - begunNs)) / Number(periodNs)));
    for (const digest of blobs.slice(0, due)) {
      if (digest <= last || !isDigest(digest)) continue;
      const finding = await images.checkBlob(digest, bytesPerSecond, signal);
      if (signal.aborted) return;
      if (finding !== undefined) this.#onFinding(finding);
      last = digest;
      this.#keep(begunNs, last);
    }
  }

  #place(nowNs: bigint): { begunNs: bigint; last: string } {
    const row = this.#options.host.database.get<{ begun_ns: bigint | number; last: string }>(
      "SELECT begun_ns, last FROM scrub",
    );
    if (row !== undefined) return { begunNs: BigInt(row.begun_ns), last: row.last };
    this.#keep(nowNs, "");
    return { begunNs: nowNs, last: "" };
  }

  #keep(begunNs: bigint, last: string): void {
    this.#options.host.database.run("INSERT OR REPLACE INTO scrub VALUES (1, ?, ?)", begunNs, last);
  }
}
