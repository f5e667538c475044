import { apiVersion, checkNetworkConnect, checkNetworkCreate, checkNetworkDisconnect, parseFilters } from "#api/wire";
import { Fault, isFault } from "#core/fault";
import type { Network } from "#networks";
import { networkInspect } from "../answers/network-answer.ts";
import { readJson } from "../body.ts";
import { endpointRequest } from "../create/endpoints.ts";
import { versionedEndpoint } from "../create/versioned-request.ts";
import type { Answer } from "../http/answer.ts";
import { networkListFilters, networkPruneFilters, prunableBy, selectNetworks } from "../network-filters.ts";
import { networkRequest } from "../network-request.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";

const done: Answer = { kind: "empty", status: 200 };

/** Networks, and who is in them. */
export function networkRoutes(options: ServerOptions): Route[] {
  return [
    route("GET /networks", (request) => list(options, request)),
    route("POST /networks/create", (request) => create(options, request)),
    route("POST /networks/prune", (request) => prune(options, request)),
    route("GET /networks/{name}", (request) => inspect(options, request)),
    route("DELETE /networks/{name}", async (request) => {
      await options.networks.remove(networkIn(request));
      return { kind: "empty", status: 204 };
    }),
    route("POST /networks/{name}/connect", (request) => connect(options, request)),
    route("POST /networks/{name}/disconnect", (request) => disconnect(options, request)),
  ];
}

function list({ networks }: ServerOptions, { query, version }: ApiRequest): Answer {
  const filters = parseFilters(query.text("filters"), networkListFilters);
  const isUsed = ({ id }: Network): boolean => networks.membersOf(id).length > 0;
  const found = selectNetworks(networks.list(), filters, isUsed);
  // Lists of many networks were slow with their containers, and clients ask for one when they want them.
  const withMembers = version < apiVersion("1.28");
  const value = found.map((network) =>
    networkInspect(network, version, withMembers ? networks.membersOf(network.id) : []),
  );
  return { kind: "json", status: 200, value };
}

function inspect({ networks }: ServerOptions, request: ApiRequest): Answer {
  const network = networks.find(networkIn(request));
  const scope = request.query.text("scope");
  if (scope !== undefined && scope !== "local") {
    throw new Fault("notFound", `network ${networkIn(request)} not found`);
  }
  const value = networkInspect(network, request.version, networks.membersOf(network.id));
  return { kind: "json", status: 200, value };
}

async function create({ networks }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { id, warnings } = await networks.create(networkRequest(checkNetworkCreate(await readJson(request))));
  return { kind: "json", status: 201, value: { Id: id, Warning: warnings.join("\n") } };
}

async function connect({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { Container: container = "", EndpointConfig: settings = {} } = checkNetworkConnect(await readJson(request));
  mustBeNamed(container);
  await containers.connectNetwork(
    container,
    endpointRequest(networkIn(request), versionedEndpoint(settings, request.version)),
  );
  return done;
}

async function disconnect({ containers, networks }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { Container: container = "", Force: force = false } = checkNetworkDisconnect(await readJson(request));
  mustBeNamed(container);
  if (force && !isThere(() => containers.find(container))) await networks.evict(networkIn(request), container);
  else await containers.disconnectNetwork(container, networkIn(request));
  return done;
}

/** As in Docker the networks of stopped containers go too: only those who run are in a network. */
async function prune({ host, log, networks }: ServerOptions, { query }: ApiRequest): Promise<Answer> {
  const isPrunable = prunableBy(parseFilters(query.text("filters"), networkPruneFilters), host.clock.now());
  const removed: string[] = [];
  for (const network of networks.list().filter(isPrunable)) {
    if (networks.membersOf(network.id).length > 0) continue;
    try {
      await networks.remove(network.id);
      removed.push(network.name);
    } catch (error) {
      // Somebody may have joined or removed it since; the others go all the same.
      log.warn("network prune left one", { network: network.name, error: String(error) });
    }
  }
  return { kind: "json", status: 200, value: { NetworksDeleted: removed.length === 0 ? null : removed } };
}

function isThere(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (isFault(error, "notFound")) return false;
    throw error;
  }
}

function mustBeNamed(container: string): void {
  if (container === "") throw new Fault("invalid", 'invalid name or ID supplied: ""');
}

function networkIn({ path }: ApiRequest): string {
  return path["name"] ?? "";
}
