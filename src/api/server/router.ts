import type { ApiVersion } from "#api/wire";
import type { Answer } from "./http/answer.ts";
import type { HttpRequest } from "./http/connection.ts";
import type { Parameters } from "./parameters.ts";

/** A request that has found its route. */
export interface ApiRequest extends HttpRequest {
  readonly version: ApiVersion;
  /** Decoded parts of the path by name. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Parameters;
}

/** Answers one kind of request; what it throws becomes an error answer. */
export type Handler = (request: ApiRequest) => Promise<Answer> | Answer;

/** One line of the API: method, path pattern, handler. `{name}` is one segment, `{name*}` is any number of them. */
export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly pattern: string;
  readonly handler: Handler;
  /** Whether failures before the stream are told in plain text and end the connection (attach). */
  readonly plainErrors: boolean;
}

/** Makes a route from `POST /containers/{name}/start`. */
export function route(line: string, handler: Handler, options: { readonly plainErrors?: boolean } = {}): Route {
  const [method = "", pattern = ""] = line.split(" ");
  return { method: method as Route["method"], pattern, handler, plainErrors: options.plainErrors ?? false };
}

/** Finds routes; the first that fits wins. */
export class Router {
  /** By method and first segment: a request is tried against a dozen routes, not against all. */
  readonly #table = new Map<string, { readonly form: RegExp; readonly route: Route }[]>();

  constructor(routes: readonly Route[]) {
    for (const each of routes) {
      const key = keyOf(each.method, each.pattern);
      const found = this.#table.get(key) ?? [];
      found.push({ form: compile(each.pattern), route: each });
      this.#table.set(key, found);
    }
  }

  /** The route for a decoded path without version. */
  find(
    method: string,
    path: string,
  ): { readonly route: Route; readonly path: Readonly<Record<string, string>> } | undefined {
    for (const { form, route } of this.#table.get(keyOf(method, path)) ?? []) {
      const match = form.exec(path);
      if (match !== null) return { route, path: match.groups ?? {} };
    }
    return undefined;
  }
}

function keyOf(method: string, path: string): string {
  return `${method} ${path.split("/")[1] ?? ""}`;
}

function compile(pattern: string): RegExp {
  const source = pattern.replace(/\{(\w+)(\*?)\}/g, (_whole, name: string, many: string) =>
    many === "" ? `(?<${name}>[^/]+)` : `(?<${name}>.+)`,
  );
  return new RegExp(`^${source}$`, "s");
}
