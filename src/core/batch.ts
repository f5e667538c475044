/** Joins small pieces into ones of about `batchBytes`, so that a hundred thousand tiny entries are no hundred thousand writes; large pieces pass as they are. */
export async function* batch(
  source: AsyncIterable<Uint8Array>,
  batchBytes = 1 << 17,
): AsyncGenerator<Uint8Array, void, void> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  for await (const piece of source) {
    if (piece.length === 0) continue;
    waiting.push(piece);
    waitingBytes += piece.length;
    if (waitingBytes < batchBytes) continue;
    yield joined(waiting);
    waiting = [];
    waitingBytes = 0;
  }
  if (waitingBytes > 0) yield joined(waiting);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}
