import { Fault, type FaultKind } from "#core/fault";

/** A refusal that came from the engine, in its own words. */
export class EngineFault extends Fault {
  /** The HTTP status of the answer; 200 when the refusal came in the middle of a stream. */
  readonly status: number;

  constructor(status: number, message: string, kind: FaultKind = kindOf(status)) {
    super(kind, message);
    this.status = status;
  }
}

/** Whether the failure means that nothing answers at the address. */
export class ConnectionFault extends Fault {
  readonly host: string;

  constructor(host: string, cause: Error & { code?: string }) {
    const denied = cause.code === "EACCES" || cause.code === "EPERM";
    super(
      denied ? "forbidden" : "unavailable",
      denied
        ? `permission denied while trying to connect to the Slipway daemon socket at ${host}`
        : `Cannot connect to the Slipway daemon at ${host}. Is the slipway daemon running?`,
      {
        cause,
        ...(denied && { remedy: "Run as root, or as a member of the group that owns the socket." }),
        ...(!denied && !["ENOENT", "ECONNREFUSED"].includes(cause.code ?? "") && { remedy: cause.message }),
      },
    );
    this.host = host;
  }
}

const kinds: Readonly<Record<number, FaultKind>> = {
  304: "notModified",
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  404: "notFound",
  409: "conflict",
  413: "tooLarge",
  499: "cancelled",
  501: "unsupported",
  503: "unavailable",
};

function kindOf(status: number): FaultKind {
  return kinds[status] ?? (status >= 400 && status < 500 ? "invalid" : "internal");
}
