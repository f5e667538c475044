import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#core/fault";
import { netnsLine, removalLine, routeLine, settingLines } from "../links/link-commands.ts";
import type { InstanceNames } from "../names.ts";
import type { Network, NetworkRequest } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { EndpointRecord, NetworkRecords } from "../records.ts";
import type { Driver, EndpointPlug } from "./driver.ts";
import { kernelFault, kindFault, addressInUse, passthruFault, takenFault, takenAddressFault } from "./parent-faults.ts";
import {
  type ParentKind,
  type ParentPlan,
  checkParentOptions,
  endpointAddressLines,
  endpointLine,
  endpointSettingsOf,
  parentPlanOf,
} from "./parent-plan.ts";
import { ParentNetwork } from "./parent-network.ts";

/** What the drivers are made of. */
export interface ParentDriverParts {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly names: InstanceNames;
}

/**
 * `macvlan` and `ipvlan`: each endpoint is a link of its own on a parent link of the host, made right in the container's
 * namespace. The host has no end of it, no bridge and no rule of the firewall: the containers are machines of the network
 * outside.
 */
export class ParentDriver implements Driver {
  readonly #kind: ParentKind;
  readonly #parts: ParentDriverParts;
  readonly #networks = new Map<string, ParentNetwork>();

  constructor(kind: ParentKind, parts: ParentDriverParts) {
    this.#kind = kind;
    this.#parts = parts;
  }

  async check(request: NetworkRequest): Promise<readonly string[]> {
    const warnings = checkParentOptions(this.#kind, request);
    await this.#mustBeKnown();
    return warnings;
  }

  /** As in Docker, macvlan networks share a parent, but for passthru; those of ipvlan do not. */
  mustBeFree(request: NetworkRequest): void {
    const { parent, mode } = parentPlanOf({ ...request, id: "", driver: this.#kind });
    for (const other of this.#users(parent)) {
      const others = parentPlanOf(other);
      if (others.kind !== this.#kind) continue;
      if (this.#kind === "ipvlan") {
        throw new Fault(
          "forbidden",
          `network di-${other.id.slice(0, 12)} is already using parent interface ${parent}`,
          {
            remedy: `It is the network ${other.name}; a VLAN of the interface (-o parent=${parent}.50) is free for another one.`,
          },
        );
      }
      if (mode === "passthru" || others.mode === "passthru") throw passthruFault(other, parent, mode);
    }
  }

  of(network: Network): ParentNetwork {
    const known = this.#networks.get(network.id);
    if (known !== undefined) return known;
    const made = new ParentNetwork(this.#parts, network);
    this.#networks.set(network.id, made);
    return made;
  }

  async create(network: Network, undo: AsyncDisposableStack): Promise<void> {
    undo.defer(async () => await this.remove(network));
    await this.of(network).ensure();
  }

  /** A parent of ours goes with the last network that uses it. */
  async remove(network: Network): Promise<void> {
    const { programs, names } = this.#parts;
    const { parent } = parentPlanOf(network);
    await this.of(network).settled();
    this.#networks.delete(network.id);
    if (this.#users(parent).some(({ id }) => id !== network.id)) return;
    const [link] = await programs.ipList("link", "show", "dev", parent);
    if ((link as { ifalias?: unknown } | undefined)?.ifalias !== names.parentAlias) return;
    await programs.links([removalLine(parent)]);
  }

  hostLink(network: Network): string {
    return parentPlanOf(network).parent;
  }

  newLink(): string {
    return "";
  }

  async plug(network: Network, plug: EndpointPlug): Promise<void> {
    const parent = parentPlanOf(network);
    const { programs, records } = this.#parts;
    const [other] = parent.mode === "passthru" ? records.members(network.id) : [];
    if (other !== undefined) throw takenFault(parent, other.containerName);
    try {
      await whenKernelLetsGo(parent.mode === "passthru" ? "Invalid argument" : undefined, async () => {
        await programs.ip([endpointLine(parent, plug.plan, plug.pid)]);
      });
    } catch (error) {
      throw kernelFault(error, parent);
    }
    try {
      await this.#configure(network, parent, plug);
    } catch (error) {
      await programs.linksEach([netnsLine(plug.pid), removalLine(plug.plan.interface)]);
      throw takenAddressFault(error, parent);
    }
  }

  async unplug({ interface: name }: EndpointRecord, pid: number): Promise<void> {
    await this.#parts.programs.linksEach([netnsLine(pid), removalLine(name)]);
  }

  async #configure(network: Network, { mode }: ParentPlan, { plan, pid, ways, settings }: EndpointPlug): Promise<void> {
    const { programs } = this.#parts;
    await programs.links([netnsLine(pid), ...settingLines({ ...endpointSettingsOf(plan, network), ...settings })]);
    const { fixedMac = plan.macAddress } = this.of(network);
    // The parent takes the address too, until the container ends.
    const mac = mode === "passthru" && plan.macAddress !== fixedMac;
    const lines = [
      ...(mac ? [`link set dev ${plan.interface} address ${plan.macAddress}`] : []),
      ...endpointAddressLines(plan, network),
      `link set dev ${plan.interface} up`,
      ...ways.map((way) => routeLine(way, plan.interface)),
    ];
    // A container that has ended may still have the MAC address, or with ipvlan the IP address.
    await whenKernelLetsGo(addressInUse, async () => await programs.ip(lines, `/proc/${pid}/ns/net`));
  }

  /** Without a parent the kernel makes no such link, and says whether it could. */
  async #mustBeKnown(): Promise<void> {
    const { programs, names } = this.#parts;
    const link = names.newLink();
    try {
      await programs.ip([`link add name ${link} type ${this.#kind}`]);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== "internal") throw error;
      if (/Unknown device type|not supported/.test(error.message)) throw kindFault(this.#kind, error);
      return;
    }
    await programs.linksEach([removalLine(link)]);
  }

  #users(parent: string): Network[] {
    return this.#parts.records
      .list()
      .filter((network) => ["macvlan", "ipvlan"].includes(network.driver) && parentPlanOf(network).parent === parent);
  }
}

/** Containers' namespaces, and what their links occupy, end in the kernel's own time: tries again for five seconds while it says these words. */
async function whenKernelLetsGo(words: string | undefined, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (words === undefined || !String(error).includes(words) || tries >= 100) throw error;
      await sleep(50);
    }
  }
}
