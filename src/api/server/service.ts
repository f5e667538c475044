import {
  apiVersion,
  apiVersionText,
  type ApiVersion,
  maxApiVersion,
  minApiVersion,
  parseApiVersion,
  toJson,
} from "#api/wire";
import { asFault, Fault, httpStatusOf } from "#core/fault";
import type { Log } from "#core/log";
import type { Answer, ErrorAnswer } from "./http/answer.ts";
import type { HttpRequest, HttpService } from "./http/connection.ts";
import type { RequestHead } from "./http/head.ts";
import { Parameters } from "./parameters.ts";
import type { Router } from "./router.ts";

const newest = apiVersion(maxApiVersion);
const oldest = apiVersion(minApiVersion);

/** Turns requests into route calls and failures into error answers. */
export class ApiService implements HttpService {
  readonly #router: Router;
  readonly #log: Log;

  constructor(router: Router, log: Log) {
    this.#router = router;
    this.#log = log;
  }

  async answer(request: HttpRequest): Promise<Answer> {
    const { method, target } = request.head;
    // The query is left out: filters and labels may hold what does not belong in a log.
    const where = target.split("?")[0] ?? "";
    this.#log.debug("request", { method, path: where });
    if (method === "OPTIONS") return { kind: "empty", status: 200 };
    let plain = false;
    try {
      const { version, path, query } = splitTarget(target);
      const found = this.#router.find(method, path);
      if (found === undefined) throw pageNotFound();
      plain = found.route.plainErrors;
      return await found.route.handler({ ...request, version, path: found.path, query });
    } catch (error) {
      const fault = asFault(error);
      this.#report(fault, method, where);
      if (plain) return plainError(fault);
      return this.#errorAnswer(fault, target);
    }
  }

  refuse(fault: Fault, head: RequestHead | undefined): ErrorAnswer {
    if (head !== undefined) this.#report(fault, head.method, head.target.split("?")[0] ?? "");
    return this.#errorAnswer(fault, head?.target ?? "/");
  }

  #errorAnswer(fault: Fault, target: string): ErrorAnswer {
    const status = httpStatusOf[fault.kind];
    const base = { kind: "error", status, close: false } as const;
    const asked = versionPrefix.exec(target)?.[1];
    const version = asked === undefined ? newest : parseApiVersion(asked);
    if (status === 304) return { ...base, contentType: "application/json", body: "" };
    // Before 1.24 errors were plain text.
    if (version !== undefined && version < oldest) {
      return { ...base, contentType: "text/plain; charset=utf-8", body: `${fault.text}\n` };
    }
    return { ...base, contentType: "application/json", body: `${toJson({ message: fault.text })}\n` };
  }

  #report(fault: Fault, method: string, path: string): void {
    const facts = { method, path, status: httpStatusOf[fault.kind] };
    if (fault.kind === "internal" || fault.kind === "exhausted") {
      this.#log.error(fault.message, { ...facts, cause: causeText(fault) });
    } else this.#log.debug(fault.message, facts);
  }
}

const versionPrefix = /^\/v(\d{1,3}\.\d{1,2})(?=[/?]|$)/;

function splitTarget(target: string): { version: ApiVersion; path: string; query: Parameters } {
  const mark = target.indexOf("?");
  const query = new Parameters(new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)));
  const asked = versionPrefix.exec(target);
  const rest = (mark < 0 ? target : target.slice(0, mark)).slice(asked?.[0].length ?? 0);
  return { version: checkVersion(asked?.[1]), path: decodePath(rest), query };
}

function checkVersion(text: string | undefined): ApiVersion {
  if (text === undefined) return newest;
  const version = parseApiVersion(text);
  if (version === undefined) throw pageNotFound();
  if (version < oldest) {
    throw new Fault(
      "invalid",
      `client version ${apiVersionText(version)} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    );
  }
  if (version > newest) {
    throw new Fault(
      "invalid",
      `client version ${apiVersionText(version)} is too new. Maximum supported API version is ${maxApiVersion}`,
    );
  }
  return version;
}

/** Percent-decoded, without doubled slashes: `/containers/%2Fweb/json` names the container `web`. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path).replace(/\/{2,}/g, "/");
  } catch {
    throw new Fault("invalid", `malformed path: ${path.slice(0, 200)}`);
  }
}

function pageNotFound(): Fault {
  return new Fault("notFound", "page not found");
}

/** What attach answers when it fails: text behind a head without length, then the end. */
function plainError(fault: Fault): ErrorAnswer {
  return {
    kind: "error",
    status: httpStatusOf[fault.kind],
    contentType: "application/vnd.docker.raw-stream",
    body: `${fault.text}\r\n`,
    close: true,
  };
}

function causeText(fault: Fault): string | undefined {
  return fault.cause instanceof Error ? (fault.cause.stack ?? fault.cause.message) : undefined;
}
