/** What may go, when nobody needs it and room is short. Another kind of things that take room is another value here. */
export interface Candidate {
  readonly kind: CandidateKind;
  readonly id: string;
  /** What a person knows it by; empty where it has no name. */
  readonly names: readonly string[];
  /** When it was last used, or came. */
  readonly usedNs: bigint;
  /** What it consists of; the room of a piece comes free with the last candidate that has it. */
  readonly pieces: readonly string[];
}

/** In the order in which they go. */
export const candidateKinds = ["untagged image", "build cache", "image", "old log"] as const;
export type CandidateKind = (typeof candidateKinds)[number];

/** All that decides what goes. */
export interface Picture {
  readonly nowNs: bigint;
  /** What counts against the budget. */
  readonly usedBytes: number;
  /** The budget: beyond it collection begins. */
  readonly limitBytes: number;
  /** The file system is so full that work is about to fail. */
  readonly isFull: boolean;
  /** Nothing in here is held by anybody. */
  readonly candidates: readonly Candidate[];
  /** Bytes of each piece. */
  readonly pieces: ReadonlyMap<string, number>;
  /** Pieces that somebody else needs: they stay whoever goes. */
  readonly heldPieces: ReadonlySet<string>;
}

/** One thing that goes, and the room that comes free with it, after those before it. */
export interface Step {
  readonly candidate: Candidate;
  readonly freedBytes: number;
}

export interface Plan {
  /** Collection ends when no more than this is used. */
  readonly targetBytes: number;
  readonly steps: readonly Step[];
  readonly freedBytes: number;
}

/** Collection that begins at the budget and ended just below it would begin again with the next pull. */
const targetShare = 0.95;
const hourNs = 3_600n * 1_000_000_000n;
/** What was pulled, made or used so recently is about to be used again. */
export const graceNs = 24n * hourNs;
export const graceWhenFullNs = hourNs;

/**
 * Decides what goes: nothing within the budget; else by kind, within a kind what was not used for longest first, until the
 * target is reached, and nothing that the target does not need. What was used within the grace stays in any case.
 */
export function planCollection(picture: Picture): Plan {
  const { candidates, limitBytes, usedBytes } = picture;
  const targetBytes = Math.floor(limitBytes * targetShare);
  if (usedBytes <= limitBytes) return { targetBytes, steps: [], freedBytes: 0 };
  const neededBytes = usedBytes - targetBytes;
  const grace = picture.isFull ? graceWhenFullNs : graceNs;
  const eligible = candidates.filter(({ usedNs }) => picture.nowNs - usedNs > grace).sort(byTurn);
  const room = new Room(picture);
  const going: Candidate[] = [];
  for (const candidate of eligible) {
    if (room.freedBytes >= neededBytes) break;
    room.remove(candidate);
    going.push(candidate);
  }
  // Some of them may have helped nothing (all they have is shared), or have become needless through a bigger one after them.
  const reachedBytes = Math.min(room.freedBytes, neededBytes);
  const spared = new Set<Candidate>();
  for (const candidate of going.toReversed()) {
    room.putBack(candidate);
    if (room.freedBytes >= reachedBytes) spared.add(candidate);
    else room.remove(candidate);
  }
  const steps = stepsOf(
    picture,
    going.filter((candidate) => !spared.has(candidate)),
  );
  return { targetBytes, steps, freedBytes: room.freedBytes };
}

function stepsOf(picture: Picture, going: readonly Candidate[]): Step[] {
  const room = new Room(picture);
  return going.map((candidate) => {
    const before = room.freedBytes;
    room.remove(candidate);
    return { candidate, freedBytes: room.freedBytes - before };
  });
}

/** Untagged before tagged, least recently used first; the id makes the order one. */
function byTurn(left: Candidate, right: Candidate): number {
  const kinds = candidateKinds.indexOf(left.kind) - candidateKinds.indexOf(right.kind);
  if (kinds !== 0) return kinds;
  if (left.usedNs !== right.usedNs) return left.usedNs < right.usedNs ? -1 : 1;
  return left.id < right.id ? -1 : 1;
}

/** Who still has which piece while candidates go. */
class Room {
  readonly #picture: Picture;
  readonly #users = new Map<string, number>();
  freedBytes = 0;

  constructor(picture: Picture) {
    this.#picture = picture;
    for (const piece of picture.heldPieces) this.#users.set(piece, 1);
    for (const { pieces } of picture.candidates)
      for (const piece of new Set(pieces)) this.#users.set(piece, (this.#users.get(piece) ?? 0) + 1);
  }

  remove({ pieces }: Candidate): void {
    for (const piece of new Set(pieces)) {
      const left = (this.#users.get(piece) ?? 0) - 1;
      this.#users.set(piece, left);
      if (left === 0) this.freedBytes += this.#picture.pieces.get(piece) ?? 0;
    }
  }

  putBack({ pieces }: Candidate): void {
    for (const piece of new Set(pieces)) {
      const users = this.#users.get(piece) ?? 0;
      if (users === 0) this.freedBytes -= this.#picture.pieces.get(piece) ?? 0;
      this.#users.set(piece, users + 1);
    }
  }
}
