/**
 * Names in a tree are bytes, kept as latin1 strings; people's patterns are text. A byte that is no UTF-8 becomes a lone
 * surrogate (0xDC00 + byte), so that every name has one text and comes back exactly.
 */
export function textOf(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, "latin1");
  const text = buffer.toString();
  if (!text.includes("\uFFFD")) return text;
  let exact = "";
  for (let at = 0; at < buffer.length;) {
    const length = sequenceLength(buffer[at] ?? 0);
    const piece = buffer.toString("utf8", at, at + length);
    const isWhole =
      length > 0 && Buffer.byteLength(piece) === length && Buffer.from(piece).equals(buffer.subarray(at, at + length));
    exact += isWhole ? piece : String.fromCharCode(0xdc00 + (buffer[at] ?? 0));
    at += isWhole ? length : 1;
  }
  return exact;
}

/** The bytes of a text as a latin1 string; undoes `textOf`. */
export function bytesOf(text: string): string {
  if (!/[^\x00-\x7f]/.test(text)) return text;
  return text.replaceAll(/[^\x00-\x7f]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xdc80 && point <= 0xdcff) return String.fromCharCode(point - 0xdc00);
    return Buffer.from(character).toString("latin1");
  });
}

/** How long the UTF-8 sequence that begins with that byte is; 0: none begins so. */
function sequenceLength(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xc2 || byte > 0xf4) return 0;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}
