/** One measured figure beside what it should be. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  /** Such as `≤ 2.5 ×`; absent where a figure only informs. */
  readonly target?: string;
  /** Whether the target is met; absent without one. */
  readonly met?: boolean;
}

/** The middle value; of an even number the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (low === undefined || high === undefined) throw new Error("no values");
  return (low + high) / 2;
}

/** The value that nine of ten do not exceed. */
export function ninetieth(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.9))] ?? Number.NaN;
}

/** Runs the ways in turn, so often, starting each round with another one; answers the milliseconds of each way. */
export async function interleaved<Name extends string>(
  rounds: number,
  ways: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(ways) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (const name of names) for (let warmUp = 0; warmUp < 3; warmUp++) await ways[name]();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length];
      if (name !== undefined) times[name].push(await ways[name]());
    }
  }
  return times;
}

/** How long the work takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

export function ratioFigure(what: string, ours: readonly number[], theirs: readonly number[], limit?: number): Figure {
  const ratio = median(ours) / median(theirs);
  const measured = `${ratio.toFixed(2)} × (median ${ms(median(ours))} against ${ms(median(theirs))}; 9 of 10 within ${ms(ninetieth(ours))}; ${ours.length} pairs)`;
  return limit === undefined ? { what, measured } : { what, measured, target: `≤ ${limit} ×`, met: ratio <= limit };
}

export function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

export function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
