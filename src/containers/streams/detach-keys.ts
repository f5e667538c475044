import { defaultDetachKeys, detachKeyBytes } from "#core/detach-keys";
import { Fault } from "#core/fault";

/** The bytes of `ctrl-p,ctrl-q` or `a,b`; undefined gives Docker's default, an empty text no keys. Fault `invalid` for what is no key. */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  const bytes = detachKeyBytes(text ?? defaultDetachKeys);
  if (bytes === undefined) throw new Fault("invalid", `Invalid detach keys (${(text ?? "").slice(0, 100)}) provided`);
  return bytes;
}
