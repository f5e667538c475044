import { parseJson } from "#api/wire";
import { Fault } from "#core/fault";
import type { HttpRequest } from "./http/connection.ts";

const maxJsonBytes = 4 * 1024 * 1024;
const jsonTimeoutMs = 60_000;

/** The request's JSON document; undefined when there is no body. Faults: `invalid`, `tooLarge` above 4 MiB. */
export async function readJson({ head, body }: HttpRequest): Promise<unknown> {
  const text = (await body.readAll(maxJsonBytes, jsonTimeoutMs)).toString("utf8");
  if (text.trim() === "") return undefined;
  const type = head.headers.get("content-type");
  // An absent type is taken as JSON; another one is a form or an upload that went to the wrong place.
  if (type !== undefined && !/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new Fault("invalid", `unsupported Content-Type header (${type}): must be 'application/json'`);
  }
  return parseJson(text);
}
