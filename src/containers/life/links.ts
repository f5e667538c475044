import { parseLink } from "#core/container-link";
import { Fault, isFault } from "#core/fault";
import { shortId } from "#core/ids";
import type { Attached, PortProtocol } from "#networks";
import type { Room } from "../room.ts";
import { isDefaultBridge } from "../config/network-mode.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** A container that another one on the default bridge links to (`--link`, as it was before networks had names). */
export interface LinkedContainer {
  readonly alias: string;
  readonly address: string;
  /** More names of it for /etc/hosts. */
  readonly hostNames: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  /** `NAME=value`, as its own process has it. */
  readonly env: readonly string[];
}

/** The containers that this one links to on the default bridge; in other networks links are names alone. Fault `conflict` when one does not run. */
export function linkedContainers(room: Room, record: ContainerRecord, { endpoints }: Attached): LinkedContainer[] {
  const ours = endpoints.find(({ networkName }) => networkName === "bridge");
  if (ours === undefined) return [];
  return linksOf(record).map(({ container, alias }) => {
    const other = room.store.find(container);
    const linked = linkedContainer(room, other, alias, ours.networkId);
    if (linked !== undefined) return linked;
    throw new Fault("conflict", `Cannot link to a non running container: /${other.name} AS /${record.name}/${alias}`, {
      remedy: `Start it first: docker start ${other.name}`,
    });
  });
}

/** Those of them that run at this moment, for a program that is started in the running container. */
export function runningLinks(room: Room, record: ContainerRecord): LinkedContainer[] {
  const links = linksOf(record);
  if (links.length === 0) return [];
  const network = room.networks.find("bridge");
  return links.flatMap(({ container, alias }) => {
    const other = findUnlessGone(room, container);
    return (other && linkedContainer(room, other, alias, network.id)) ?? [];
  });
}

function findUnlessGone({ store }: Room, nameOrId: string): ContainerRecord | undefined {
  try {
    return store.find(nameOrId);
  } catch (error) {
    if (isFault(error, "notFound")) return undefined;
    throw error;
  }
}

function linksOf({ spec }: ContainerRecord): ReturnType<typeof parseLink>[] {
  return spec.endpoints.flatMap(({ network, links }) => (isDefaultBridge(network) ? links.map(parseLink) : []));
}

/** Undefined when it does not run, or is not in the network. */
function linkedContainer(
  room: Room,
  other: ContainerRecord,
  alias: string,
  networkId: string,
): LinkedContainer | undefined {
  const place = room.networks.attachedOf(other.id)?.endpoints.find((endpoint) => endpoint.networkId === networkId);
  if (!isRunning(other.state) || place?.ipv4 === undefined) return undefined;
  const hostNames = [shortId(other.id), other.name].filter((each) => each !== alias);
  const { exposedPorts, env } = other.process;
  return { alias, address: place.ipv4.address, hostNames, exposedPorts, env };
}

/** The variables by which linked containers were found before names were: `DB_PORT_5432_TCP_ADDR` and its kin. */
export function linkEnvironment(containerName: string, links: readonly LinkedContainer[]): string[] {
  return links.flatMap(({ alias, address, exposedPorts, env }) => {
    const prefix = alias.toUpperCase().replaceAll("-", "_");
    const ports = exposedPorts.map(portOf).toSorted((one, other) => one.port - other.port);
    const [first] = ports;
    return [
      `${prefix}_NAME=/${containerName}/${alias}`,
      ...(first === undefined ? [] : [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`]),
      ...ports.flatMap((port) => portVariables(prefix, address, port)),
      ...env.filter((entry) => !/^(?:HOME|PATH)=/.test(entry)).map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}

interface Port {
  readonly port: number;
  readonly protocol: PortProtocol;
}

function portOf(text: string): Port {
  const [port = "", protocol = "tcp"] = text.split("/");
  return { port: Number(port), protocol: protocol as PortProtocol };
}

function portVariables(prefix: string, address: string, { port, protocol }: Port): string[] {
  const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  return [
    `${name}=${protocol}://${address}:${port}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT=${port}`,
    `${name}_PROTO=${protocol}`,
  ];
}
