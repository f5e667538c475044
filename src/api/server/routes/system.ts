import {
  type AuthAnswer,
  checkRegistryAuth,
  engineVersion,
  type InfoAnswer,
  maxApiVersion,
  minApiVersion,
  parseFilters,
  parseTime,
  productVersion,
  toJson,
  type VersionAnswer,
} from "#api/wire";
import { nativePlatform } from "#core/oci";
import { eventMessage } from "../answers/event-answer.ts";
import { infoAnswer } from "../answers/info-answer.ts";
import { readJson } from "../body.ts";
import { eventMatcher, knownEventFilters } from "../events-filter.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { registryAuth } from "../registry-auth.ts";

/** Ping, version, info, events. */
export function systemRoutes(options: ServerOptions): Route[] {
  return [
    route("GET /_ping", ping),
    // Docker's own says that a HEAD has nothing behind it.
    route("HEAD /_ping", () => ({ ...ping(), text: "" })),
    route("GET /version", () => ({ kind: "json", status: 200, value: versionAnswer(options) })),
    route("GET /info", async () => {
      // Whatever keeps it from being read is no reason to answer nothing.
      const obstacles = await options.networks.obstacles().catch(() => []);
      const value: InfoAnswer = infoAnswer(options, await options.disk.state(), obstacles);
      return { kind: "json", status: 200, value };
    }),
    route("POST /auth", (request) => logIn(options, request)),
    route("GET /events", (request) => events(options, request)),
  ];
}

function ping(): Extract<Answer, { kind: "text" }> {
  return {
    kind: "text",
    status: 200,
    text: "OK",
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "Builder-Version": "1",
      "Cache-Control": "no-cache, no-store, must-revalidate",
      Pragma: "no-cache",
      Swarm: "inactive",
    },
  };
}

function versionAnswer({ host: { machine } }: ServerOptions): VersionAnswer {
  const architecture = nativePlatform().architecture;
  const shared = { ApiVersion: maxApiVersion, MinAPIVersion: minApiVersion, GitCommit: "", Os: "linux" };
  // There is no Go here; clients print the field, so it names what runs instead.
  const runtime = `node${process.versions.node}`;
  return {
    Platform: { Name: `Slipway ${productVersion}` },
    Components: [
      {
        Name: "Engine",
        Version: engineVersion,
        Details: {
          ...shared,
          Arch: architecture,
          BuildTime: "",
          Experimental: "false",
          GoVersion: runtime,
          KernelVersion: machine.kernelVersion,
        },
      },
      { Name: "slipway", Version: productVersion, Details: { GitCommit: "" } },
    ],
    Version: engineVersion,
    ...shared,
    GoVersion: runtime,
    Arch: architecture,
    KernelVersion: machine.kernelVersion,
  };
}

/** `docker login`: nothing is kept here, the client stores what was right. */
async function logIn({ images }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const auth = registryAuth(checkRegistryAuth(await readJson(request)));
  const { identityToken } = await images.checkCredentials(auth, request.signal);
  const value: AuthAnswer = { Status: "Login Succeeded", IdentityToken: identityToken ?? "" };
  return { kind: "json", status: 200, value };
}

function events({ host }: ServerOptions, { query, version, signal }: ApiRequest): Answer {
  const nowNs = host.clock.now();
  // Zero is the beginning here, not the absence of a bound.
  const sinceNs = query.text("since") === "0" ? 0n : parseTime(query.text("since"), nowNs);
  const untilNs = parseTime(query.text("until"), nowNs);
  const matches = eventMatcher(parseFilters(query.text("filters"), knownEventFilters));
  const found = host.journal.read(
    { ...(sinceNs !== undefined && { sinceNs }), ...(untilNs !== undefined && { untilNs }) },
    signal,
  );
  async function* lines(): AsyncGenerator<string> {
    for await (const event of found) {
      const message = matches(event) ? eventMessage(event, version) : undefined;
      if (message !== undefined) yield `${toJson(message)}\n`;
    }
  }
  return { kind: "stream", contentType: "application/json", body: lines(), headAtOnce: true };
}
