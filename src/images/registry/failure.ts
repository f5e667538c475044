import { Fault, type FaultKind } from "#core/fault";

/** What went wrong between us and a registry; decides whether trying again, or trying another endpoint, makes sense. */
export type FailureReason =
  | "dns" // the name has no address
  | "connect" // nobody listens, or no way there
  | "timeout" // silence, or next to it
  | "broken" // the connection ended before the answer did
  | "untrusted" // the certificate does not hold
  | "plaintext" // TLS was spoken to something that does not speak it
  | "redirect" // a redirect that we do not follow
  | "denied" // 401, 403
  | "missing" // 404
  | "throttled" // 429
  | "overloaded" // 5xx
  | "protocol"; // an answer that makes no sense

/** A Fault of the registry client, with the reason that its own retries and fallbacks branch on. */
export class RegistryFault extends Fault {
  readonly reason: FailureReason;
  /** What a 429 or 503 asked us to wait. */
  readonly retryAfterMs: number | undefined;
  /** The registry's error code in words, such as `manifest unknown`; empty when it sent none. */
  readonly code: string;

  constructor(
    reason: FailureReason,
    message: string,
    options: { cause?: unknown; remedy?: string; retryAfterMs?: number; code?: string; kind?: FaultKind } = {},
  ) {
    super(options.kind ?? kindOf[reason], message, options);
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
    this.code = options.code ?? "";
  }
}

/** Whether the same request may well succeed a moment later. */
export function isTransient(error: unknown): error is RegistryFault {
  return error instanceof RegistryFault && transient.has(error.reason);
}

/** Whether no HTTP answer came at all, so that another way to the same registry may be tried. */
export function isUnreached(error: unknown): error is RegistryFault {
  return error instanceof RegistryFault && unreached.has(error.reason);
}

const kindOf: Readonly<Record<FailureReason, FaultKind>> = {
  dns: "unavailable",
  connect: "unavailable",
  timeout: "unavailable",
  broken: "unavailable",
  untrusted: "unavailable",
  plaintext: "unavailable",
  redirect: "unavailable",
  denied: "unauthorized",
  missing: "notFound",
  throttled: "unavailable",
  overloaded: "unavailable",
  protocol: "internal",
};

const transient: ReadonlySet<FailureReason> = new Set(["timeout", "broken", "overloaded", "throttled"]);
const unreached: ReadonlySet<FailureReason> = new Set(["dns", "connect", "timeout", "untrusted", "plaintext"]);
