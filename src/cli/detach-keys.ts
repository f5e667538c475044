import { defaultDetachKeys, detachKeyBytes } from "#core/detach-keys";

/** The bytes of a key sequence such as `ctrl-a,d`, of Docker's default when it is empty; throws an Error for an unknown key. */
export function parseDetachKeys(text: string): Uint8Array {
  const bytes = detachKeyBytes(text === "" ? defaultDetachKeys : text);
  if (bytes === undefined) throw new Error(`invalid detach keys: ${text}`);
  return bytes;
}
