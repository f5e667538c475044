/** The bytes of `ctrl-p,ctrl-q` or `a,b`; empty for an empty text, undefined when some part is no key. */
export function detachKeyBytes(text: string): Uint8Array | undefined {
  if (text === "") return new Uint8Array();
  const codes = text.split(",").map(keyCode);
  return codes.includes(undefined) ? undefined : Uint8Array.from(codes as number[]);
}

/** Docker's default. */
export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Looks for the detach keys in what a person types: bytes that could begin them are held back until it is clear that they do not, and then go on unchanged. */
export class DetachScanner {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** The bytes that go on to the container, and whether the keys came (what follows them is dropped). */
  scan(bytes: Uint8Array): { readonly pass: Uint8Array; readonly detached: boolean } {
    if (this.#keys.length === 0) return { pass: bytes, detached: false };
    if (this.#matched === 0 && !bytes.includes(this.#keys[0] ?? -1)) return { pass: bytes, detached: false };
    const pass: number[] = [];
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte);
      else if (++this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}

function keyCode(key: string): number | undefined {
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
  const [, letter] = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key) ?? [];
  return letter === undefined ? undefined : letter.toUpperCase().charCodeAt(0) & 0x1f;
}
