import type { Ulimit } from "#api/wire";

/** Reads `--ulimit NAME=SOFT[:HARD]`; throws an Error in Docker's words. */
export function readUlimit(item: string): Ulimit {
  const [, name, soft, hard] = /^([a-z]+)=(-?\d+|unlimited)(?::(-?\d+|unlimited))?$/.exec(item) ?? [];
  if (name === undefined || soft === undefined) throw new Error(`invalid ulimit argument: ${item}`);
  const number = (text: string): number => (text === "unlimited" ? -1 : Number(text));
  const limits = { Name: name, Hard: number(hard ?? soft), Soft: number(soft) };
  if (limits.Hard >= 0 && limits.Soft > limits.Hard) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${limits.Soft} > ${limits.Hard}`);
  }
  return limits;
}

/** The item as it is; throws an Error as `readUlimit` does. */
export function checkUlimit(item: string): string {
  readUlimit(item);
  return item;
}
