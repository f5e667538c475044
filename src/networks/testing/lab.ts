import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "#core/clock";
import type { Event } from "#core/event";
import type { Machine, Shim } from "#host";
import type {
  Attachment,
  AttachRequest,
  EndpointRequest,
  Network,
  NetworkRequest,
  Networks,
  NetworksOptions,
  PortRequest,
} from "../networks.ts";
import { openNetworks } from "../open.ts";
import { ChildShim } from "./child-shim.ts";
import { run } from "./machines.ts";
import { scratchDatabase } from "./scratch-database.ts";

/** The rooms' door over a scratch database in the test's own network namespace, and what to poke it with. */
export interface Lab extends AsyncDisposable {
  readonly networks: Networks;
  readonly shim: ChildShim;
  readonly events: Omit<Event, "timeNs">[];
  /** Closes the door and opens it again over the same records, as a restarted daemon does. */
  reopen(): Promise<void>;
  /** Attaches to the default bridge, or to these networks. */
  attach(
    containerId: string,
    ports?: readonly PortRequest[],
    ...endpoints: readonly EndpointRequest[]
  ): Promise<Attachment>;
  /** Makes a network and answers it. */
  network(name: string, more?: Partial<NetworkRequest>): Promise<Network>;
}

/** What a test may choose. */
export interface LabOptions extends Partial<NetworksOptions> {
  readonly instance?: string;
  readonly databasePath?: string;
  /** Whether what happens on the host is followed, as a daemon does; else tests would meet its repairs. */
  readonly watches?: boolean;
  /** What `openLab` compares with in the end, when that is not what it finds. */
  readonly before?: ReturnType<typeof hostState>;
}

/** Opens a lab; disposing it releases all containers, closes the room and checks that links and tables are what they were before. */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const before = options.before ?? hostState();
  const shim = new ChildShim();
  const events: Omit<Event, "timeNs">[] = [];
  const database = scratchDatabase(options.databasePath);
  const open = async (): Promise<Networks> =>
    await openNetworks({
      database,
      shim: (options.watches === true ? shim : withoutWatches(shim)) as unknown as Shim,
      machine: fakeMachine(),
      paths: { dataRoot: "/nowhere", execRoot: "/nowhere", instance: options.instance ?? "slipway-0a1b2c" },
      clock: systemClock,
      events: { emit: (event) => events.push(event) },
      mtu: 1500,
      warmSlots: 2,
      ...options,
    });
  let networks = await open();
  const pids = new Map<string, number>();
  return {
    get networks() {
      return {
        ...networks,
        release: async (containerId: string) => {
          await shim.freePorts(pids.get(containerId) ?? 0);
          await networks.release(containerId);
        },
      };
    },
    shim,
    events,
    reopen: async () => {
      await networks.close();
      networks = await open();
    },
    attach: async (containerId, ports = [], ...endpoints) => {
      // Of an earlier run, which has ended.
      await shim.freePorts(pids.get(containerId) ?? 0);
      const attachment = await networks.attach(requestOf(containerId, ports, endpoints), neverAborted);
      pids.set(containerId, attachment.slot.pid);
      return attachment;
    },
    network: async (name, more = {}) => networks.find((await networks.create(networkOf(name, more))).id),
    [Symbol.asyncDispose]: async () => {
      shim.trouble = () => undefined;
      const left = networks.list().flatMap(({ id }) => networks.membersOf(id));
      for (const { containerId } of left) await networks.release(containerId);
      await networks.close();
      await shim.endSlots([]);
      await assertSameSoon(before);
    },
  };
}

function withoutWatches(shim: ChildShim): Omit<Pick<Shim, keyof ChildShim & keyof Shim>, "run"> {
  return {
    runToEnd: shim.runToEnd.bind(shim),
    changeLinks: shim.changeLinks.bind(shim),
    prepareMonitor: shim.prepareMonitor.bind(shim),
  };
}

/** An attach request for these networks, for the default bridge when there are none. */
export function requestOf(
  containerId: string,
  ports: readonly PortRequest[] = [],
  endpoints: readonly EndpointRequest[] = [],
): AttachRequest {
  return {
    containerId,
    containerName: `name-of-${containerId}`,
    hostname: `${containerId}-host`,
    mode: "network",
    endpoints: endpoints.length === 0 ? [inNetwork("bridge")] : endpoints,
    ports,
    servers: [],
  };
}

/** A place in a network, with nothing asked for but what is given. */
export function inNetwork(network: string, more: Partial<EndpointRequest> = {}): EndpointRequest {
  return { network, linkLocal: [], aliases: [], links: [], options: {}, gatewayPriority: 0, ...more };
}

/** A request for a bridge network. */
export function networkOf(name: string, more: Partial<NetworkRequest> = {}): NetworkRequest {
  return {
    name,
    driver: "bridge",
    scope: "",
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    ipam: { driver: "", options: {}, pools: [] },
    options: {},
    labels: {},
    ...more,
  };
}

/** The pools of these subnets. */
export function pools(...subnets: readonly string[]): NetworkRequest["ipam"] {
  return { driver: "default", options: {}, pools: subnets.map((subnet) => ({ subnet, auxiliary: {} })) };
}

/** The IPv4 address of an attachment's first endpoint, or of the one in that network. */
export function ipv4Of({ attached }: Pick<Attachment, "attached">, network?: string): string {
  const endpoint = attached.endpoints.find(({ networkName }) => network === undefined || networkName === network);
  return endpoint?.ipv4?.address ?? assert.fail("no IPv4 address");
}

/** The same of IPv6. */
export function ipv6Of({ attached }: Pick<Attachment, "attached">, network?: string): string {
  const endpoint = attached.endpoints.find(({ networkName }) => network === undefined || networkName === network);
  return endpoint?.ipv6?.address ?? assert.fail("no IPv6 address");
}

/** `-p 8080:80` and its like. */
export function port(
  protocol: PortRequest["protocol"],
  hostPort: number,
  containerPort: number,
  hostIp = "",
): PortRequest {
  return { protocol, containerPort, hostIp, hostPort: { first: hostPort, last: hostPort } };
}

export const neverAborted = new AbortController().signal;

/** Names of links and nftables tables of this network namespace. */
export function hostState(): { readonly links: string[]; readonly tables: string } {
  const links = JSON.parse(run("ip", "-json", "link", "show")) as { ifname: string }[];
  return { links: links.map(({ ifname }) => ifname).sort(), tables: run("nft", "list", "tables") };
}

/** Waits up to two seconds for the host to look as before: the kernel removes namespaces in its own time. */
export async function assertSameSoon(before: ReturnType<typeof hostState>): Promise<void> {
  for (let tries = 0; tries < 100 && JSON.stringify(hostState()) !== JSON.stringify(before); tries += 1)
    await sleep(20);
  assert.deepEqual(hostState(), before);
}

function fakeMachine(): Machine {
  const facts: Pick<Machine, "ipv4Forwarding" | "ipv6Loopback" | "resolvConf" | "hasLink"> = {
    hasLink: (name) => existsSync(`/proc/sys/net/ipv4/conf/${name}`),
    get ipv6Loopback() {
      return / lo$/m.test(readFileSync("/proc/net/if_inet6", "utf8"));
    },
    get ipv4Forwarding() {
      return readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1";
    },
    resolvConf: async () => await Promise.resolve("nameserver 192.0.2.53\n"),
  };
  return facts as Machine;
}
