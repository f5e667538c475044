import assert from "node:assert/strict";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import type { Database } from "#host";
import { migrations } from "./migrations.ts";
import type { Network, PublishedPort } from "./networks.ts";

/** A container's attachment, as it is kept. */
export interface Sandbox {
  readonly containerId: string;
  readonly containerName: string;
  readonly hostname: string;
  readonly servers: readonly string[];
  readonly ports: readonly PublishedPort[];
  readonly endpoints: readonly EndpointRecord[];
}

/** A container's place in a network, as it is kept. */
export interface EndpointRecord {
  readonly containerId: string;
  readonly network: Network;
  readonly endpointId: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** Empty with ipvlan, and for `none` and `host`. */
  readonly macAddress: string;
  /** The host's end of the veth pair; empty where there is none. */
  readonly link: string;
  /** The container's end; empty for `none` and `host`. */
  readonly interface: string;
  readonly linkLocal: readonly string[];
  readonly aliases: readonly string[];
  /** Ids of containers by the names that this one alone calls them. */
  readonly links: Readonly<Record<string, string>>;
  readonly gatewayPriority: number;
}

/** An interface in a running container's namespace that belongs to no endpoint. */
export type LooseInterface = Pick<EndpointRecord, "containerId" | "interface">;

/**
 * The durable records of networks and endpoints. Networks are also kept in memory, as thousands of them are looked through for each
 * new one; so are attachments that somebody asked for, as each change and each answer asks for them again.
 */
export class NetworkRecords {
  readonly #database: Database;
  /** By id, as they were made. */
  readonly #networks = new Map<string, Network>();
  readonly #networksByName = new Map<string, Network>();
  /** By container, as the database has them; of some it alone has them. */
  readonly #sandboxes = new Map<string, Sandbox>();

  constructor(database: Database) {
    this.#database = database;
    database.migrate("networks", migrations);
    const rows = database.all<NetworkRow>("SELECT id, name, driver, created_ns, document FROM network ORDER BY rowid");
    for (const row of rows) this.#keep(networkOf(row));
  }

  /** Makes the network of that name unless it exists, else brings it up to date; its id and time of birth stay. */
  define(network: Omit<Network, "id">): Network {
    const known = this.named(network.name);
    const whole = { ...network, id: known?.id ?? newId(), createdNs: known?.createdNs ?? network.createdNs };
    if (known === undefined) return this.add(whole);
    this.#database.run("UPDATE network SET document = ? WHERE id = ?", documentOf(whole), whole.id);
    this.#keep(whole);
    // They have it as it was.
    this.#sandboxes.clear();
    return whole;
  }

  /** Throws when the name is in use. */
  add(network: Network): Network {
    const { id, name, driver, createdNs } = network;
    this.#database.run(
      "INSERT INTO network (id, name, driver, created_ns, document) VALUES (?, ?, ?, ?, ?)",
      id,
      name,
      driver,
      createdNs,
      documentOf(network),
    );
    this.#keep(network);
    return network;
  }

  remove(networkId: string): void {
    this.#database.run("DELETE FROM network WHERE id = ?", networkId);
    const network = this.#networks.get(networkId);
    this.#networks.delete(networkId);
    if (network !== undefined) this.#networksByName.delete(network.name);
  }

  /** All networks, by name. */
  list(): Network[] {
    return [...this.all()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** All networks, as they were made. */
  all(): IteratorObject<Network> {
    return this.#networks.values();
  }

  named(name: string): Network | undefined {
    return this.#networksByName.get(name);
  }

  /** By name, else by id, else by the only id that begins so. Fault `notFound`; `invalid` when several ids begin so. */
  find(nameOrId: string): Network {
    const exact = this.named(nameOrId) ?? this.#networks.get(nameOrId);
    if (exact !== undefined) return exact;
    const matches = nameOrId === "" ? [] : [...this.all().filter(({ id }) => id.startsWith(nameOrId))];
    if (matches.length > 1) {
      throw new Fault(
        "invalid",
        `network ${nameOrId} is ambiguous (${matches.length} matches found based on ID prefix)`,
      );
    }
    const [match] = matches;
    if (match === undefined) throw new Fault("notFound", `network ${nameOrId} not found`);
    return match;
  }

  /** Fault `notFound` when the network was removed. */
  mustHave({ id, name }: Network): void {
    if (!this.#networks.has(id)) throw new Fault("notFound", `network ${name} not found`);
  }

  /** The attachment with its endpoints: all of it or none. */
  addSandbox(sandbox: Sandbox): void {
    this.#database.transaction(() => {
      const { containerId, containerName, endpoints, ...rest } = sandbox;
      this.#database.run(
        "INSERT INTO network_sandbox (container_id, container_name, document) VALUES (?, ?, ?)",
        containerId,
        containerName,
        JSON.stringify(rest),
      );
      for (const endpoint of endpoints) this.addEndpoint(endpoint);
    });
    this.#sandboxes.set(sandbox.containerId, sandbox);
  }

  /** Its interface is loose no more. Fault `notFound` when the network was removed meanwhile. */
  addEndpoint(endpoint: EndpointRecord): void {
    const { containerId, network, endpointId, ipv4, ipv6, ...document } = endpoint;
    this.#database.transaction(() => {
      this.mustHave(network);
      this.#database.run(
        "INSERT INTO network_endpoint (container_id, network_id, endpoint_id, ipv4, ipv6, document) VALUES (?, ?, ?, ?, ?, ?)",
        containerId,
        network.id,
        endpointId,
        ipv4 ?? null,
        ipv6 ?? null,
        JSON.stringify(document),
      );
      this.forgetLoose(endpoint);
    });
    this.#changeEndpoints(containerId, (endpoints) => [...endpoints, endpoint]);
  }

  /** Its interface is loose until it is taken away. */
  removeEndpoint(endpoint: EndpointRecord): void {
    this.#database.transaction(() => {
      this.#database.run(
        "DELETE FROM network_endpoint WHERE container_id = ? AND network_id = ?",
        endpoint.containerId,
        endpoint.network.id,
      );
      this.addLoose(endpoint);
    });
    const { network } = endpoint;
    this.#changeEndpoints(endpoint.containerId, (endpoints) =>
      endpoints.filter((each) => each.network.id !== network.id),
    );
  }

  /** Says that a running container has, or is about to get, an interface that no endpoint of its accounts for; only of those without an end on the host. */
  addLoose(endpoint: EndpointRecord): void {
    if (hasHostEnd(endpoint)) return;
    const { containerId, interface: name } = endpoint;
    this.#database.run("INSERT OR IGNORE INTO network_loose_interface VALUES (?, ?)", containerId, name);
  }

  /** Of one that is no endpoint's, or of an endpoint's whose interface was taken away. */
  forgetLoose(loose: LooseInterface | EndpointRecord): void {
    if ("link" in loose && hasHostEnd(loose)) return;
    const { containerId, interface: name } = loose;
    this.#database.run(
      "DELETE FROM network_loose_interface WHERE container_id = ? AND interface = ?",
      containerId,
      name,
    );
  }

  /** What a crash left in containers' namespaces. */
  loose(): LooseInterface[] {
    return this.#database.all<LooseInterface>(
      "SELECT container_id AS containerId, interface FROM network_loose_interface",
    );
  }

  /** With its endpoints. */
  removeSandbox(containerId: string): void {
    this.#database.run("DELETE FROM network_sandbox WHERE container_id = ?", containerId);
    this.#sandboxes.delete(containerId);
  }

  sandboxOf(containerId: string): Sandbox | undefined {
    const known = this.#sandboxes.get(containerId) ?? this.#readSandbox(containerId);
    if (known !== undefined) this.#sandboxes.set(containerId, known);
    return known;
  }

  #readSandbox(containerId: string): Sandbox | undefined {
    const row = this.#database.get<SandboxRow>("SELECT * FROM network_sandbox WHERE container_id = ?", containerId);
    return row === undefined
      ? undefined
      : sandboxFrom(row, this.#endpoints("network_endpoint.container_id = ?", containerId));
  }

  /** The attachments of all containers. */
  sandboxes(): Sandbox[] {
    const endpoints = Map.groupBy(this.#endpoints("?1 = ?1", 1), ({ containerId }) => containerId);
    return this.#database
      .all<SandboxRow>("SELECT * FROM network_sandbox ORDER BY container_id")
      .map((row) => sandboxFrom(row, endpoints.get(row.container_id) ?? []));
  }

  /** The endpoints in a network, with their containers' names. */
  members(networkId: string): (Pick<Sandbox, "containerName" | "hostname"> & { readonly endpoint: EndpointRecord })[] {
    return this.#database
      .all<EndpointRow>(`${selectEndpoints} WHERE network_id = ? ORDER BY network_endpoint.rowid`, networkId)
      .map((row) => ({
        containerName: row.container_name,
        hostname: row.hostname,
        endpoint: this.#endpointOf(row),
      }));
  }

  /** Whether any container is in the network. */
  isUsed(networkId: string): boolean {
    return this.#database.get("SELECT 1 FROM network_endpoint WHERE network_id = ? LIMIT 1", networkId) !== undefined;
  }

  rename(containerId: string, name: string): void {
    this.#database.run("UPDATE network_sandbox SET container_name = ? WHERE container_id = ?", name, containerId);
    this.#sandboxes.delete(containerId);
  }

  #keep(network: Network): void {
    this.#networks.set(network.id, network);
    this.#networksByName.set(network.name, network);
  }

  /** The database has the change already. */
  #changeEndpoints(containerId: string, change: (endpoints: readonly EndpointRecord[]) => EndpointRecord[]): void {
    const known = this.#sandboxes.get(containerId);
    if (known === undefined) return;
    this.#sandboxes.set(containerId, { ...known, endpoints: change(known.endpoints) });
  }

  #endpoints(condition: string, value: string | number): EndpointRecord[] {
    return this.#database
      .all<EndpointRow>(`${selectEndpoints} WHERE ${condition} ORDER BY network_endpoint.rowid`, value)
      .map((row) => this.#endpointOf(row));
  }

  #endpointOf(row: EndpointRow): EndpointRecord {
    const network = this.#networks.get(row.network_id);
    assert(network !== undefined);
    return {
      containerId: row.container_id,
      network,
      endpointId: row.endpoint_id,
      ...(row.ipv4 !== null && { ipv4: row.ipv4 }),
      ...(row.ipv6 !== null && { ipv6: row.ipv6 }),
      ...(JSON.parse(row.document) as EndpointDocument),
    };
  }
}

/** Its links are the host's to see: none is ever loose. */
function hasHostEnd({ link }: Pick<EndpointRecord, "link">): boolean {
  return link !== "";
}

const selectEndpoints = `SELECT network_endpoint.container_id AS container_id, network_id, endpoint_id, ipv4, ipv6,
  network_endpoint.document AS document, container_name, network_sandbox.document ->> 'hostname' AS hostname
  FROM network_endpoint JOIN network_sandbox ON network_sandbox.container_id = network_endpoint.container_id`;

interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly created_ns: number | bigint;
  readonly document: string;
}

interface SandboxRow {
  readonly container_id: string;
  readonly container_name: string;
  readonly document: string;
}

interface EndpointRow extends SandboxRow {
  readonly network_id: string;
  readonly endpoint_id: string;
  readonly hostname: string;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

type NetworkDocument = Omit<Network, "id" | "name" | "driver" | "createdNs">;

type EndpointDocument = Omit<EndpointRecord, "containerId" | "network" | "endpointId" | "ipv4" | "ipv6">;

function documentOf({ ipv4, ipv6, internal, attachable, ipam, options, labels }: NetworkDocument): string {
  return JSON.stringify({ ipv4, ipv6, internal, attachable, ipam, options, labels } satisfies NetworkDocument);
}

function networkOf(row: NetworkRow): Network {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver as Network["driver"],
    createdNs: BigInt(row.created_ns),
    ...(JSON.parse(row.document) as NetworkDocument),
  };
}

function sandboxFrom(row: SandboxRow, endpoints: readonly EndpointRecord[]): Sandbox {
  const document = JSON.parse(row.document) as Omit<Sandbox, "containerId" | "containerName" | "endpoints">;
  return { containerId: row.container_id, containerName: row.container_name, ...document, endpoints };
}
