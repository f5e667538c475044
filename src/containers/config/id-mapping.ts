import { Fault } from "#core/fault";
import type { IdMapping, IdRange } from "#host";

/** Ids that a container gets where nobody says how many. */
export const defaultRangeSize = 65_536;

/** Where containers with `--userns auto` get their ids: from these on, that many. */
export interface IdPool {
  readonly first: number;
  readonly size: number;
}

/** The pool while /etc/subuid and /etc/subgid give no ranges to `containers`: the upper half of all ids, which no account has. */
export const defaultPool: IdPool = { first: 2 ** 31, size: 2 ** 31 - 2 * defaultRangeSize };

/** One line of subuid(5) or subgid(5). */
export interface SubordinateRange {
  /** A login name or an id in digits. */
  readonly owner: string;
  readonly first: number;
  readonly size: number;
}

/** The lines of subuid(5) or subgid(5) that are whole; others count for nothing, as for the shadow tools. */
export function parseSubordinate(text: string): SubordinateRange[] {
  return text.split("\n").flatMap((line) => {
    const [, owner, first, size] = /^([^:#\s][^:]*):([0-9]{1,10}):([0-9]{1,10})\s*$/.exec(line) ?? [];
    if (owner === undefined) return [];
    const range = { owner, first: Number(first), size: Number(size) };
    return range.size > 0 && range.first + range.size <= 2 ** 32 - 1 ? [range] : [];
  });
}

/** The ranges of one owner put behind each other, from the container's 0 on. */
export function consecutive(ranges: readonly Pick<SubordinateRange, "first" | "size">[]): IdRange[] {
  let inside = 0;
  return ranges.map(({ first, size }) => {
    const range = { inside, outside: first, size };
    inside += size;
    return range;
  });
}

/** What `auto[:size=N]` asks for; undefined when the mode is another one. Fault `invalid`. */
export function parseAuto(mode: string): { readonly size: number } | undefined {
  if (mode !== "auto" && !mode.startsWith("auto:")) return undefined;
  if (mode === "auto") return { size: defaultRangeSize };
  const [, digits] = /^size=([0-9]{1,10})$/.exec(mode.slice("auto:".length)) ?? [];
  const size = Number(digits);
  if (digits !== undefined && size > 0 && size <= defaultPool.size) return { size };
  throw new Fault("invalid", `invalid user namespace mode: ${mode.slice(0, 100)}`, {
    remedy: "Use auto, or auto:size=N with N ids.",
  });
}

/** The first free ids of the pool for a container of its own. Fault `exhausted` when there are not so many in one piece. */
export function allocateRange(pool: IdPool, size: number, taken: readonly IdMapping[]): IdMapping {
  const used = taken
    .flatMap(({ uids, gids }) => [...uids, ...gids])
    .map(({ outside, size: length }) => ({ first: outside, end: outside + length }))
    .sort((left, right) => left.first - right.first);
  let first = pool.first;
  for (const range of used) {
    if (range.end <= first) continue;
    if (range.first >= first + size) break;
    first = range.end;
  }
  if (first + size > pool.first + pool.size) {
    throw new Fault("exhausted", `no ${size} ids are left for another user namespace`, {
      remedy:
        "Remove containers that are not needed, ask for fewer ids (auto:size=N), or give `containers` more in /etc/subuid and /etc/subgid.",
    });
  }
  const ranges = [{ inside: 0, outside: first, size }];
  return { uids: ranges, gids: ranges };
}
