import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Fault } from "#core/fault";
import { isHosted } from "#networks";
import { parseExtraHost } from "../config/checks.ts";
import { hostsText, resolvConfText } from "../config/etc-files.ts";
import { parseNetworkMode } from "../config/network-mode.ts";
import type { SpecInputs } from "../config/spec.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { foldersOf } from "./folders.ts";
import type { LinkedContainer } from "./links.ts";
import type { Place } from "./place.ts";

/** Where a container's hosts, hostname and resolv.conf are, on the host. */
export type NetworkFiles = SpecInputs["files"];

/** What the files are made of, beside the container's own record. */
export interface NetworkFacts {
  /** The resolv.conf that the host itself follows. */
  readonly hostResolvConf: string;
  readonly links: readonly LinkedContainer[];
}

/** Writes hosts, hostname and resolv.conf; in `container:` mode they are the other container's. */
export function writeNetworkFiles(
  room: Room,
  record: ContainerRecord,
  place: Place,
  facts: NetworkFacts,
): NetworkFiles {
  const { spec, hostname } = record;
  const mode = parseNetworkMode(spec.networkMode);
  const folders = foldersOf(room.host.paths, mode.kind === "container" ? mode.containerId : record.id);
  const files = { hosts: folders.hosts, hostname: folders.hostname, resolvConf: folders.resolvConf };
  if (mode.kind === "container") return files;
  const hosts = hostsText({
    hostname,
    domainname: spec.domainname,
    addresses: place.attached.endpoints.flatMap(({ ipv4, ipv6 }) =>
      [ipv4, ipv6].flatMap((each) => each?.address ?? []),
    ),
    extraHosts: [
      ...spec.extraHosts.map((entry) => resolveExtraHost(room, entry, place)),
      ...facts.links.map(({ address, alias, hostNames }) => ({ ip: address, name: [alias, ...hostNames].join(" ") })),
    ],
    ...(mode.kind === "host" && existsSync("/etc/hosts") && { hostFile: readFileSync("/etc/hosts", "utf8") }),
  });
  const resolvConf = resolvConfOf(record, facts.hostResolvConf, place.resolver !== undefined);
  writeFileSync(files.hosts, hosts, { mode: 0o644 });
  writeFileSync(files.hostname, `${hostname}\n`, { mode: 0o644 });
  writeFileSync(files.resolvConf, resolvConf, { mode: 0o644 });
  if (mode.kind === "host") writeFileSync(folders.givenResolvConf, resolvConf, { mode: 0o644 });
  return files;
}

/** Brings a container of the host's network up to date; in place, as the container sees this very file. What it wrote itself stays. */
export function rewriteResolvConf(room: Room, record: ContainerRecord, hostResolvConf: string): void {
  const { resolvConf, givenResolvConf } = foldersOf(room.host.paths, record.id);
  const now = readFileSync(resolvConf, "utf8");
  const given = existsSync(givenResolvConf) ? readFileSync(givenResolvConf, "utf8") : now;
  const wanted = resolvConfOf(record, hostResolvConf, false);
  if (now !== given || now === wanted) return;
  for (const path of [givenResolvConf, resolvConf]) writeFileSync(path, wanted, { mode: 0o644 });
}

function resolvConfOf({ spec }: ContainerRecord, host: string, hasResolver: boolean): string {
  const hostNetwork = parseNetworkMode(spec.networkMode).kind === "host";
  return resolvConfText({
    host,
    servers: spec.dns,
    search: spec.dnsSearch,
    options: spec.dnsOptions,
    hostNetwork,
    hasResolver,
  });
}

/** `host-gateway` is the host as the container sees it: the gateway of its first network on a bridge, else the default bridge's. */
function resolveExtraHost(room: Room, entry: string, place: Place): { name: string; ip: string } {
  const { name, ip } = parseExtraHost(entry);
  if (ip !== "host-gateway") return { name, ip };
  const own = place.attached.endpoints
    .filter(({ networkId }) => isHosted(room.networks.find(networkId)))
    .map(({ ipv4 }) => ipv4?.gateway ?? "")
    .find((text) => text !== "");
  const gateway = own ?? room.networks.find("bridge").ipam.pools[0]?.gateway;
  if (gateway !== undefined) return { name, ip: gateway };
  throw new Fault("invalid", "unable to derive the IP value for host-gateway", {
    remedy: "Give the address itself: --add-host NAME:IP.",
  });
}
