import { type FailureReason, RegistryFault } from "./failure.ts";

/** What a fault needs to know of an answer that is not a success. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The start of the body; registries send `{"errors":[{code,message}]}` (distribution-spec, error codes). */
  readonly body: string;
}

/** Turns an HTTP answer that is an error into a fault with the registry's own words (`toomanyrequests: …`, `denied: …`). */
export function statusFailure(answer: FailedAnswer, host: string, nowMs: number): RegistryFault {
  const reason = reasonOf(answer.status);
  const said = saidBy(answer.body);
  const text = said?.text ?? wordOf(answer.status);
  const retryAfterMs = retryAfter(answer.headers["retry-after"], nowMs);
  const remedy = remedyOf(reason, host, retryAfterMs);
  return new RegistryFault(reason, text, {
    ...(said !== undefined && { code: said.code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3); undefined when absent or senseless. */
export function retryAfter(value: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function reasonOf(status: number): FailureReason {
  if (status === 401 || status === 403) return "denied";
  if (status === 404) return "missing";
  if (status === 429) return "throttled";
  if (status === 408) return "timeout";
  return status >= 500 ? "overloaded" : "protocol";
}

/** The first error of a registry's body: its code in words, and code with message as Docker prints them. */
function saidBy(body: string): { code: string; text: string } | undefined {
  const document = parsed(body);
  if (typeof document !== "object" || document === null) return undefined;
  const errors: unknown = "errors" in document ? document.errors : undefined;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (typeof first === "object" && first !== null) {
    const code = "code" in first && typeof first.code === "string" ? plain(first.code) : "unknown";
    const message = "message" in first && typeof first.message === "string" ? plain(first.message) : "";
    const words = code.toLowerCase().replaceAll("_", " ");
    return { code: words, text: message === "" ? words : `${words}: ${message}` };
  }
  // Token servers use `details`, some gateways `message`.
  for (const key of ["details", "message", "error_description", "error"]) {
    const value = (document as Record<string, unknown>)[key];
    if (typeof value === "string" && value !== "") return { code: "", text: plain(value) };
  }
  return undefined;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** What a stranger wrote, made fit for a terminal: no control characters, bounded. */
function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ").slice(0, 500);
}

function wordOf(status: number): string {
  if (status === 401) return "unauthorized: authentication required";
  if (status === 403) return "denied: requested access to the resource is denied";
  if (status === 404) return "not found";
  if (status === 429) return "toomanyrequests: too many requests";
  return `received unexpected HTTP status: ${status}`;
}

function remedyOf(reason: FailureReason, host: string, retryAfterMs: number | undefined): string | undefined {
  if (reason === "throttled") {
    const wait = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1000)} seconds`;
    return `${host} limits how often it may be asked: try again ${wait}, log in, or use a registry mirror.`;
  }
  if (reason === "overloaded") return `${host} has a problem of its own; try again later.`;
  return undefined;
}
