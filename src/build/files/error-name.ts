import { getSystemErrorMap } from "node:util";

/** The name of an error number of the kernel: `ENOENT`. */
export function errorName(number: number): string {
  return getSystemErrorMap().get(-number)?.[0] ?? `error ${number}`;
}
