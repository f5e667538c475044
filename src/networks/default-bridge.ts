import { Fault } from "#core/fault";
import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import { AddressPool } from "./address-pool.ts";
import { type Subnet, formatAddress, formatSubnet, hostRange, parseAddress, parseCidr, subnetFrom } from "./address.ts";
import { type BridgePlan, bridgeAddressLines, bridgeLines, bridgeSettings } from "./link-commands.ts";
import type { InstanceNames } from "./names.ts";
import type { Network } from "./networks.ts";
import type { NetworkPrograms } from "./programs.ts";
import type { NetworkRecords } from "./records.ts";
import { chooseSubnet, clashOf, defaultSubnets, occupiedBy } from "./subnet-choice.ts";
import { withSubnetLock } from "./subnet-lock.ts";

/** What the default bridge needs. */
export interface DefaultBridgeOptions {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "resolvConf" | "ipv4Forwarding">;
  readonly events: EventSink;
  readonly names: InstanceNames;
  /** `--bip`, such as `10.9.0.1/24`. */
  readonly address?: string;
  readonly bridgeName?: string;
  readonly mtu: number;
  readonly createdNs: bigint;
}

/** The bridge of the network `bridge`: chosen when the daemon opens, made with the first need, removed when unused. */
export class DefaultBridge {
  readonly name: string;
  readonly #options: DefaultBridgeOptions;
  #plan: BridgePlan;
  #addresses: AddressPool;
  #making: Promise<void> | undefined;

  private constructor(options: DefaultBridgeOptions, plan: BridgePlan) {
    this.name = plan.name;
    this.#options = options;
    this.#plan = plan;
    this.#addresses = this.#newPool();
  }

  /** Settles the network's subnet: the one asked for, the one it had, or a free one. Touches nothing on the host. */
  static async open(options: DefaultBridgeOptions): Promise<DefaultBridge> {
    const name = options.bridgeName ?? options.names.bridge;
    const wanted = options.address === undefined ? undefined : parseBridgeAddress(options.address);
    const known = options.records.list().find((network) => network.name === "bridge");
    const inUse = options.records.endpoints().some(({ place }) => place !== undefined);
    const kept = known !== undefined && (wanted === undefined || inUse) ? placeOf(known) : undefined;
    const place = kept ?? wanted ?? firstPlace(chooseSubnet(defaultSubnets, await occupied(options, name)));
    const { bridgeMac: mac, bridgeAlias: alias } = options.names;
    const bridge = new DefaultBridge(options, { name, mac, alias, mtu: options.mtu, ...place });
    bridge.#record();
    return bridge;
  }

  get plan(): BridgePlan {
    return this.#plan;
  }

  get network(): Network {
    return this.#options.records.find("bridge");
  }

  takeAddress(): number | undefined {
    return this.#addresses.take();
  }

  freeAddress(address: number): void {
    this.#addresses.free(address);
  }

  /** Makes the bridge if it is not there; `afterwards` (the ruleset) belongs to the making. */
  async ensure(afterwards: () => Promise<void>): Promise<void> {
    this.#making ??= this.#make(afterwards).catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    await this.#making;
  }

  /** Somebody removed the bridge or the table: `ensure` is to look again. */
  forget(): void {
    this.#making = undefined;
  }

  /** Removes the bridge if it is ours. */
  async remove(): Promise<void> {
    this.#making = undefined;
    const { programs, names } = this.#options;
    const [link] = await programs.ipList("link", "show", "dev", this.name);
    if ((link as { ifalias?: unknown } | undefined)?.ifalias !== names.bridgeAlias) return;
    await programs.ip([`link delete dev ${this.name}`]);
  }

  async #make(afterwards: () => Promise<void>): Promise<void> {
    const { programs } = this.#options;
    await withSubnetLock(async () => {
      const [link] = await programs.ipList("-details", "link", "show", "dev", this.name);
      if (link === undefined) await this.#moveIfClashing();
      else if (kindOf(link) !== "bridge") {
        throw new Fault("conflict", `the link ${this.name} of this host is no bridge`, {
          remedy: "Choose another name with --bridge, or remove that link.",
        });
      }
      const lines = [...(link === undefined ? bridgeLines(this.#plan) : []), ...bridgeAddressLines(this.#plan)];
      await programs.ip(lines);
    });
    await this.#setKernel();
    await afterwards();
  }

  /** Since the subnet was chosen, a VPN or another daemon may have come to use it: then nobody of ours does, and we take another. */
  async #moveIfClashing(): Promise<void> {
    const { records, address } = this.#options;
    if (address !== undefined || records.endpoints().some(({ place }) => place !== undefined)) return;
    const taken = await occupied(this.#options, this.name);
    if (clashOf(this.#plan.subnet, taken) === undefined) return;
    this.#plan = { ...this.#plan, ...firstPlace(chooseSubnet(defaultSubnets, taken)) };
    this.#addresses = this.#newPool();
    this.#record();
  }

  async #setKernel(): Promise<void> {
    const { programs, machine, events } = this.#options;
    const forwards = machine.ipv4Forwarding;
    await programs.setKernel({ ...bridgeSettings(this.name), ...(!forwards && { "net/ipv4/ip_forward": "1" }) });
    if (forwards) return;
    const message = "net.ipv4.ip_forward was off; set to 1, as containers reach other networks through this host";
    events.emit({ type: "daemon", action: "sysctl", actorId: this.#options.names.table, attributes: { message } });
  }

  #newPool(): AddressPool {
    const taken = this.#options.records.endpoints().map(({ place }) => parseAddress(place?.address ?? "") ?? 0);
    return new AddressPool(this.#plan.subnet, [this.#plan.gateway, ...taken]);
  }

  #record(): void {
    const { records, createdNs } = this.#options;
    const { subnet, gateway, name, mtu } = this.#plan;
    records.define({
      name: "bridge",
      driver: "bridge",
      createdNs,
      subnet: formatSubnet(subnet),
      gateway: formatAddress(gateway),
      labels: {},
      options: {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
        "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
        "com.docker.network.bridge.name": name,
        "com.docker.network.driver.mtu": String(mtu),
      },
    });
  }
}

type Place = Pick<BridgePlan, "subnet" | "gateway">;

function parseBridgeAddress(text: string): Place {
  const parsed = parseCidr(text);
  if (parsed === undefined || parsed.subnet.prefixLength > 30) {
    throw new Fault("invalid", `invalid CIDR address: ${text}`, {
      remedy: "Give --bip an address with a prefix length of at most 30, such as 10.9.0.1/24.",
    });
  }
  const { first, last } = hostRange(parsed.subnet);
  if (parsed.address < first || parsed.address > last) {
    throw new Fault("invalid", `${text} is not an address that a bridge can have`, {
      remedy: `Choose one from ${formatAddress(first)} to ${formatAddress(last)}.`,
    });
  }
  return { subnet: parsed.subnet, gateway: parsed.address };
}

function placeOf({ subnet, gateway }: Network): Place | undefined {
  const address = parseAddress(gateway ?? "");
  return subnet === undefined || address === undefined ? undefined : { subnet: subnetFrom(subnet), gateway: address };
}

function firstPlace(subnet: Subnet): Place {
  return { subnet, gateway: hostRange(subnet).first };
}

async function occupied(
  { programs, machine }: DefaultBridgeOptions,
  bridge: string,
): Promise<ReturnType<typeof occupiedBy>> {
  const routes = await programs.ipList("-4", "route", "show", "table", "all");
  return occupiedBy(routes, await machine.resolvConf(), bridge);
}

function kindOf(link: unknown): unknown {
  return (link as { linkinfo?: { info_kind?: unknown } }).linkinfo?.info_kind;
}
