import { isIP } from "node:net";
import { csvFields } from "../flags/csv.ts";

/** Subnets of `size` bits of prefix, cut from `base`. */
export interface AddressPool {
  readonly base: string;
  readonly size: number;
}

/** Reads `base=10.0.0.0/8,size=24`. Throws an Error in dockerd's words. */
export function readAddressPool(item: string): AddressPool {
  const fields = new Map<string, string>();
  for (const field of csvFields(item)) {
    const [name = "", value] = field.split(/=(.*)/s, 2);
    if (value === undefined) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const key = name.trim().toLowerCase();
    if (key !== "base" && key !== "size") throw new Error(`unexpected key '${name}' in '${field}'`);
    if (fields.has(key)) throw new Error(`'${key}' is given twice in '${item}'`);
    fields.set(key, value.trim());
  }
  const [base = "", size = ""] = [fields.get("base"), fields.get("size")];
  const { bits, prefix } = checkBase(base);
  if (!/^\d{1,3}$/.test(size)) throw new Error(`invalid size value: ${JSON.stringify(size)} (must be integer)`);
  // A gateway and a container need a network of four.
  if (Number(size) < prefix || Number(size) > bits - 2) {
    throw new Error(`invalid size value: ${size} (must be between the base's ${prefix} and ${bits - 2})`);
  }
  return { base, size: Number(size) };
}

/** Checks one `--default-address-pool`. */
export function checkAddressPool(item: string): string {
  readAddressPool(item);
  return item;
}

function checkBase(base: string): { bits: number; prefix: number } {
  const [address = "", digits = "", ...rest] = base.split("/");
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  if (family === 0 || address.includes("%") || rest.length > 0 || !/^\d{1,3}$/.test(digits) || Number(digits) > bits) {
    throw new Error(`invalid base pool ${JSON.stringify(base)}: it is a subnet such as 10.0.0.0/8`);
  }
  return { bits, prefix: Number(digits) };
}
