import { randomBytes } from "node:crypto";

/** A container, exec or network id: 64 lower-case hex digits. */
export type Id = string & { readonly __id: unique symbol };

/** A new id; never one whose first 12 digits are all decimal, so that a short id cannot be taken for a number. */
export function newId(): Id {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    if (!/^[0-9]{12}/.test(id)) return id as Id;
  }
}

/** The 12 digits that tables show. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
