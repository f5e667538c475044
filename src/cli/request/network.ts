import { BlockList, isIP } from "node:net";
import { pairsOf } from "./env.ts";
import type { NetworkCreateRequest, NetworkIpamPool } from "#api/client";

/** What `network create` is asked for, by its flags' names. */
export interface NetworkCreateFlags {
  readonly attachable: boolean;
  readonly "aux-address": readonly string[];
  readonly "config-from": string;
  readonly "config-only": boolean;
  readonly driver: string;
  readonly gateway: readonly string[];
  readonly ingress: boolean;
  readonly internal: boolean;
  readonly "ip-range": readonly string[];
  readonly "ipam-driver": string;
  readonly "ipam-opt": readonly string[];
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly label: readonly string[];
  readonly opt: readonly string[];
  readonly scope: string;
  readonly subnet: readonly string[];
}

/** The body of `POST /networks/create`. Throws an Error in Docker's words. */
export function networkCreateRequest(
  name: string,
  flags: NetworkCreateFlags,
  changed: ReadonlySet<string>,
): NetworkCreateRequest {
  return {
    Name: name,
    Driver: flags.driver,
    Scope: flags.scope,
    ...(changed.has("ipv4") && { EnableIPv4: flags.ipv4 }),
    ...(changed.has("ipv6") && { EnableIPv6: flags.ipv6 }),
    IPAM: { Driver: flags["ipam-driver"], Options: pairsOf(flags["ipam-opt"]), Config: pools(flags) },
    Internal: flags.internal,
    Attachable: flags.attachable,
    Ingress: flags.ingress,
    ConfigOnly: flags["config-only"],
    ...(flags["config-from"] !== "" && { ConfigFrom: { Network: flags["config-from"] } }),
    Options: pairsOf(flags.opt),
    Labels: pairsOf(flags.label),
  };
}

/** A subnet with what was given of its own; flags belong to the subnet that holds their address, in whatever order they came. */
interface Draft {
  readonly Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

function pools(flags: NetworkCreateFlags): readonly NetworkIpamPool[] {
  const { gateway: gateways, "ip-range": ranges, subnet: subnets } = flags;
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new Error("every ip-range or gateway must have a corresponding subnet");
  }
  const drafts: Draft[] = [];
  for (const subnet of subnets) {
    if (drafts.some(({ Subnet: other }) => holds(subnet, other) || holds(other, subnet))) {
      throw new Error("multiple overlapping subnet configuration is not supported");
    }
    drafts.push({ Subnet: subnet });
  }
  for (const range of ranges) placeOnce(drafts, "IPRange", range);
  for (const gateway of gateways) placeOnce(drafts, "Gateway", gateway);
  for (const [name, address] of Object.entries(pairsOf(flags["aux-address"]))) {
    const draft = draftFor(drafts, address, "aux-address");
    draft.AuxiliaryAddresses = { ...draft.AuxiliaryAddresses, [name]: address };
  }
  return drafts;
}

/** Gives the address to the subnet that holds it, which can have one such alone. */
function placeOnce(drafts: readonly Draft[], field: "IPRange" | "Gateway", address: string): void {
  const draft = draftFor(drafts, address, field === "IPRange" ? "range" : "gateway");
  const { [field]: other, Subnet: subnet } = draft;
  if (other === undefined) draft[field] = address;
  else if (field === "IPRange") {
    throw new Error(`cannot configure multiple ranges (${address}, ${other}) on the same subnet (${subnet})`);
  } else throw new Error(`cannot configure multiple gateways (${address}, ${other}) for the same subnet (${subnet})`);
}

function draftFor(drafts: readonly Draft[], address: string, what: string): Draft {
  const draft = drafts.find(({ Subnet: subnet }) => holds(subnet, address));
  if (draft === undefined) throw new Error(`no matching subnet for ${what} ${address}`);
  return draft;
}

/** Whether the address (of a range, its first) lies in the subnet. */
function holds(subnet: string, text: string): boolean {
  const { address: base, family, prefix } = parsePrefix(subnet);
  const address = text.includes("/") ? parsePrefix(text).address : text;
  if (isIP(address) !== family) return false;
  const range = new BlockList();
  range.addSubnet(base, prefix, family === 4 ? "ipv4" : "ipv6");
  return range.check(address, family === 4 ? "ipv4" : "ipv6");
}

function parsePrefix(text: string): { address: string; family: number; prefix: number } {
  const [address = "", digits = "", ...rest] = text.split("/");
  const family = isIP(address);
  const prefix = Number(digits);
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(digits) || prefix > (family === 4 ? 32 : 128)) {
    throw new Error(`invalid subnet: invalid CIDR address: ${text}`);
  }
  return { address, family, prefix };
}
