import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import type { Database } from "#host";
import type { Endpoint, Network, PublishedPort } from "./networks.ts";

/** A container's place in a network, as it is kept; `place` is absent for `none` and `host`. */
export interface EndpointRecord {
  readonly containerId: string;
  readonly containerName: string;
  readonly endpointId: string;
  readonly network: Network;
  readonly place?: {
    readonly address: string;
    readonly macAddress: string;
    /** The host's end of the veth pair. */
    readonly link: string;
    readonly ports: readonly PublishedPort[];
  };
}

/** The durable records of networks and endpoints. */
export class NetworkRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate("networks", migrations);
  }

  /** Makes the network of that name unless it exists, else brings its options up to date. */
  define(network: Omit<Network, "id">): void {
    const { name, driver, createdNs } = network;
    this.#database.run(
      `INSERT INTO network (id, name, driver, created_ns, subnet, gateway, options, labels) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET subnet = excluded.subnet, gateway = excluded.gateway, options = excluded.options`,
      newId(),
      name,
      driver,
      createdNs,
      network.subnet ?? null,
      network.gateway ?? null,
      JSON.stringify(network.options),
      JSON.stringify(network.labels),
    );
  }

  /** All networks, by name. */
  list(): Network[] {
    return this.#database.all<NetworkRow>("SELECT * FROM network ORDER BY name").map(networkOf);
  }

  /** By name, else by id, else by the only id that begins so. Fault `notFound`; `invalid` when several ids begin so. */
  find(nameOrId: string): Network {
    const exact = `SELECT * FROM network WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC LIMIT 1`;
    const row = this.#database.get<NetworkRow>(exact, nameOrId);
    if (row !== undefined) return networkOf(row);
    // A range instead of LIKE: the text may have any characters.
    const begins = `SELECT * FROM network WHERE id >= ?1 AND id < ?1 || 'g'`;
    const matches = nameOrId === "" ? [] : this.#database.all<NetworkRow>(begins, nameOrId);
    if (matches.length > 1) {
      throw new Fault(
        "invalid",
        `network ${nameOrId} is ambiguous (${matches.length} matches found based on ID prefix)`,
      );
    }
    const [match] = matches;
    if (match === undefined) throw new Fault("notFound", `network ${nameOrId} not found`);
    return networkOf(match);
  }

  addEndpoint({ containerId, containerName, endpointId, network, place }: EndpointRecord): void {
    this.#database.run(
      `INSERT INTO network_endpoint (container_id, network_id, container_name, endpoint_id, address, mac, link, ports)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      containerId,
      network.id,
      containerName,
      endpointId,
      place?.address ?? null,
      place?.macAddress ?? null,
      place?.link ?? null,
      JSON.stringify(place?.ports ?? []),
    );
  }

  /** Removes the record. */
  removeEndpoint(containerId: string): void {
    this.#database.run("DELETE FROM network_endpoint WHERE container_id = ?", containerId);
  }

  endpointOf(containerId: string): EndpointRecord | undefined {
    const row = this.#database.get<EndpointRow>(`${selectEndpoints} WHERE container_id = ?`, containerId);
    return row === undefined ? undefined : endpointRecordOf(row);
  }

  /** Of one network, or of all. */
  endpoints(networkId?: string): EndpointRecord[] {
    const rows =
      networkId === undefined
        ? this.#database.all<EndpointRow>(selectEndpoints)
        : this.#database.all<EndpointRow>(`${selectEndpoints} WHERE network_id = ?`, networkId);
    return rows.map(endpointRecordOf);
  }

  rename(containerId: string, name: string): void {
    this.#database.run("UPDATE network_endpoint SET container_name = ? WHERE container_id = ?", name, containerId);
  }
}

/** The endpoint as the door shows it; undefined for `none` and `host`. */
export function endpointFrom({ endpointId, network, place }: EndpointRecord): Endpoint | undefined {
  if (place === undefined) return undefined;
  return {
    id: endpointId,
    networkId: network.id,
    networkName: network.name,
    ipAddress: place.address,
    prefixLength: Number(network.subnet?.split("/")[1] ?? 32),
    gateway: network.gateway ?? "",
    macAddress: place.macAddress,
    ports: place.ports,
  };
}

const migrations = [
  `CREATE TABLE network (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, created_ns INTEGER NOT NULL,
     subnet TEXT, gateway TEXT, options TEXT NOT NULL, labels TEXT NOT NULL
   ) STRICT;
   CREATE TABLE network_endpoint (
     container_id TEXT NOT NULL, network_id TEXT NOT NULL REFERENCES network (id), container_name TEXT NOT NULL,
     endpoint_id TEXT NOT NULL, address TEXT, mac TEXT, link TEXT, ports TEXT NOT NULL,
     PRIMARY KEY (container_id, network_id), UNIQUE (network_id, address)
   ) STRICT`,
];

const selectEndpoints = `SELECT * FROM network_endpoint JOIN network ON network.id = network_id`;

interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly created_ns: number | bigint;
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly options: string;
  readonly labels: string;
}

interface EndpointRow extends NetworkRow {
  readonly container_id: string;
  readonly container_name: string;
  readonly endpoint_id: string;
  readonly address: string | null;
  readonly mac: string | null;
  readonly link: string | null;
  readonly ports: string;
}

function networkOf(row: NetworkRow): Network {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver as Network["driver"],
    createdNs: BigInt(row.created_ns),
    ...(row.subnet !== null && { subnet: row.subnet }),
    ...(row.gateway !== null && { gateway: row.gateway }),
    options: JSON.parse(row.options) as Network["options"],
    labels: JSON.parse(row.labels) as Network["labels"],
  };
}

function endpointRecordOf(row: EndpointRow): EndpointRecord {
  const { address, mac, link } = row;
  return {
    containerId: row.container_id,
    containerName: row.container_name,
    endpointId: row.endpoint_id,
    network: networkOf(row),
    ...(address !== null &&
      mac !== null &&
      link !== null && {
        place: { address, macAddress: mac, link, ports: JSON.parse(row.ports) as readonly PublishedPort[] },
      }),
  };
}
