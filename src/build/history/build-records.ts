import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { Database } from "#host";
import type { BuildRecord } from "../build.ts";

/** The builds that were, newest first; a bounded number of them. */
export class BuildRecords {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  begin(id: string, name: string): void {
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT OR REPLACE INTO build VALUES (?, ?, ?, NULL, 'running', NULL, 0, 0, NULL, '[]')",
        id,
        name,
        this.#clock.now(),
      );
      this.#database.run(
        "DELETE FROM build WHERE status <> 'running' AND id IN (SELECT id FROM build ORDER BY started_ns DESC LIMIT -1 OFFSET ?)",
        mostRecords,
      );
    });
  }

  end(
    id: string,
    end: Pick<BuildRecord, "status" | "error" | "steps" | "cachedSteps" | "imageId"> & {
      readonly tags: readonly string[];
    },
  ): void {
    this.#database.run(
      "UPDATE build SET ended_ns = ?, status = ?, error = ?, steps = ?, cached_steps = ?, image = ?, tags = ? WHERE id = ?",
      this.#clock.now(),
      end.status,
      end.error?.slice(0, longestError) ?? null,
      end.steps,
      end.cachedSteps,
      end.imageId ?? null,
      JSON.stringify(end.tags),
      id,
    );
  }

  /** Those that a killed daemon left. */
  markLost(): void {
    this.#database.run("UPDATE build SET status = 'lost', ended_ns = started_ns WHERE status = 'running'");
  }

  all(): BuildRecord[] {
    return this.#database.all<BuildRow>("SELECT * FROM build ORDER BY started_ns DESC, id").map(recordOf);
  }

  /** Forgets builds that do not run; answers how many. */
  forget(ids: readonly string[] | "all"): number {
    const gone = this.all().filter(({ id, status }) => status !== "running" && (ids === "all" || ids.includes(id)));
    this.#database.transaction(() => {
      for (const { id } of gone) this.#database.run("DELETE FROM build WHERE id = ?", id);
    });
    return gone.length;
  }
}

const mostRecords = 500;
const longestError = 4000;

interface BuildRow {
  readonly id: string;
  readonly name: string;
  readonly started_ns: number | bigint;
  readonly ended_ns: number | bigint | null;
  readonly status: BuildRecord["status"];
  readonly error: string | null;
  readonly steps: number;
  readonly cached_steps: number;
  readonly image: Digest | null;
  readonly tags: string;
}

function recordOf(row: BuildRow): BuildRecord {
  return {
    id: row.id,
    name: row.name,
    startedNs: BigInt(row.started_ns),
    ...(row.ended_ns !== null && { endedNs: BigInt(row.ended_ns) }),
    status: row.status,
    ...(row.error !== null && { error: row.error }),
    steps: row.steps,
    cachedSteps: row.cached_steps,
    ...(row.image !== null && { imageId: row.image }),
    tags: JSON.parse(row.tags) as string[],
  };
}
