/** Docker's default: ctrl-p, then ctrl-q. */
const defaultKeys = "ctrl-p,ctrl-q";

const controls: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** The bytes of a key sequence such as `ctrl-p,ctrl-q` or `ctrl-a,d`; throws an Error for an unknown key. */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = text === "" ? defaultKeys : text;
  return Uint8Array.from(
    keys.split(",").map((key) => {
      if (key.length === 1) return key.charCodeAt(0);
      const control = /^ctrl-(.)$/.exec(key)?.[1];
      if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96;
      const code = control === undefined ? undefined : controls[control];
      if (code === undefined) throw new Error(`invalid detach keys (${text}): Unknown character: '${key}'`);
      return code;
    }),
  );
}

/**
 * Watches what a person types for the detach sequence. Bytes that could begin it are held back until it is clear that
 * they do not.
 */
export class DetachWatch {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** The bytes to send, and whether the sequence is complete (what follows it is dropped). */
  feed(bytes: Uint8Array): { readonly send: Uint8Array; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        out.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else out.push(byte);
      if (this.#matched === this.#keys.length) return { send: Uint8Array.from(out), detached: true };
    }
    return { send: Uint8Array.from(out), detached: false };
  }
}
