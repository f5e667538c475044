import { rfc3339Nano } from "#core/clock";
import { Fault } from "#core/fault";
import type { PathFacts } from "#containers";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { nameIn } from "./containers.ts";

/** Files of containers: `docker cp` and `docker export`. */
export function archiveRoutes({ containers }: ServerOptions): Route[] {
  return [
    route("HEAD /containers/{name}/archive", async (request) => {
      const facts = await containers.statPath(nameIn(request), pathIn(request));
      return { kind: "empty", status: 200, headers: factsHeader(facts) };
    }),
    route("GET /containers/{name}/archive", async (request) => {
      const { facts, archive } = await containers.readArchive(nameIn(request), pathIn(request), request.signal);
      return { ...tarStream(archive), headers: factsHeader(facts) };
    }),
    route("PUT /containers/{name}/archive", async (request) => {
      const { query, body, signal } = request;
      const options = {
        noOverwriteDirNonDir: query.flag("noOverwriteDirNonDir"),
        copyUidGid: query.flag("copyUIDGID"),
      };
      await containers.writeArchive(nameIn(request), pathIn(request), body, options, signal);
      return { kind: "empty", status: 200 };
    }),
    route("GET /containers/{name}/export", async (request) =>
      tarStream(await containers.exportRoot(nameIn(request), request.signal), "application/octet-stream"),
    ),
  ];
}

function pathIn({ query }: ApiRequest): string {
  const path = query.text("path");
  if (path === undefined) throw new Fault("invalid", "bad parameter: path");
  return path;
}

function tarStream(
  body: AsyncIterable<Uint8Array>,
  contentType = "application/x-tar",
): Extract<Answer, { kind: "stream" }> {
  return { kind: "stream", contentType, headAtOnce: false, body };
}

/** Base64 (standard) of a JSON document whose mode has Go's bits. */
function factsHeader(facts: PathFacts): Readonly<Record<string, string>> {
  const value = {
    name: facts.name,
    size: facts.sizeBytes,
    mode: goFileMode(facts.mode),
    mtime: rfc3339Nano(facts.modifiedNs),
    linkTarget: facts.linkTarget,
  };
  return { "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(value)).toString("base64") };
}

const goTypes: Readonly<Record<number, number>> = {
  0o040000: 2 ** 31, // directory
  0o120000: 2 ** 27, // symlink
  0o060000: 2 ** 26, // block device
  0o020000: 2 ** 26 + 2 ** 21, // character device
  0o010000: 2 ** 25, // pipe
  0o140000: 2 ** 24, // socket
};

/** Go's os.FileMode of a mode from stat(2). */
function goFileMode(mode: number): number {
  const special = [
    [0o4000, 2 ** 23],
    [0o2000, 2 ** 22],
    [0o1000, 2 ** 20],
  ] as const;
  const extra = special.reduce((sum, [bit, goBit]) => sum + ((mode & bit) === 0 ? 0 : goBit), 0);
  return (goTypes[mode & 0o170000] ?? 0) + extra + (mode & 0o777);
}
