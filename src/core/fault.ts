/** Why an expected failure happened; callers branch on this, never on the message. */
export type FaultKind =
  | "invalid" // the request is wrong in itself
  | "unauthorized" // no or bad credentials
  | "forbidden" // known, and not allowed
  | "notFound"
  | "conflict" // right in itself, but not in this state
  | "notModified" // already so (starting a started container)
  | "tooLarge" // a bound was passed
  | "unsupported" // not built yet, or not on this machine
  | "unavailable" // something this depends on does not answer; worth trying again
  | "exhausted" // disk, addresses, descriptors: none left
  | "cancelled" // the caller went away or asked to stop
  | "internal"; // broken in ourselves or in a program that we run

/** An expected failure: one kind, a message in Docker's wording where clients match on it, and a remedy where one is known. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  /** What the person can do about it, one sentence; shown after the message. */
  readonly remedy: string | undefined;

  constructor(kind: FaultKind, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.remedy = options.remedy;
  }

  /** The message with its remedy, as one text for a person. */
  get text(): string {
    return this.remedy === undefined ? this.message : `${this.message}\n${this.remedy}`;
  }
}

/** HTTP status of each kind (Engine API). */
export const httpStatusOf: Readonly<Record<FaultKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  notModified: 304,
  tooLarge: 413,
  unsupported: 501,
  unavailable: 503,
  exhausted: 500,
  cancelled: 499,
  internal: 500,
};

/** Exit code of our own programs for each kind; `run`, `create` and `exec` answer 125–127 by Docker's rules instead. */
export const exitCodeOf: Readonly<Record<FaultKind, number>> = {
  invalid: 1,
  unauthorized: 1,
  forbidden: 1,
  notFound: 1,
  conflict: 1,
  notModified: 0,
  tooLarge: 1,
  unsupported: 1,
  unavailable: 1,
  exhausted: 1,
  cancelled: 130,
  internal: 1,
};

/** The failure as a Fault: itself, or an unexpected error wrapped as `internal` (aborts become `cancelled`, a full disk `exhausted`). */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  // What failed comes before what failed while it was undone.
  if (error instanceof SuppressedError) return asFault(error.suppressed);
  if (error instanceof Error && error.name === "AbortError")
    return new Fault("cancelled", "cancelled", { cause: error });
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) {
    const remedy = "Free disk space and try again: `slipway system df`, `slipway system prune`.";
    return new Fault("exhausted", "no space left on device", { cause: error, remedy });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new Fault("internal", message, { cause: error });
}

/** Whether the error is a Fault of that kind. */
export function isFault(error: unknown, kind: FaultKind): error is Fault {
  return error instanceof Fault && error.kind === kind;
}
