import { isIP } from "node:net";
import type { PortBinding } from "#api/client";

/** What `-p` and `--expose` come to in a create request. */
export interface PortSettings {
  readonly exposed: Record<string, object>;
  readonly bindings: Record<string, PortBinding[]>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Reads the published (`[IP:][HOST]:CONTAINER[/PROTOCOL]` or `target=…,published=…`) and the exposed ports; throws an Error in Docker's words. */
export function readPorts(published: readonly string[], exposed: readonly string[]): PortSettings {
  const settings: PortSettings = { exposed: {}, bindings: {} };
  for (const item of published) {
    for (const [port, binding] of item.includes("=") ? longForm(item) : shortForm(item)) {
      settings.exposed[port] = {};
      (settings.bindings[port] ??= []).push(binding);
    }
  }
  for (const item of exposed) {
    if (item.includes(":")) throw new Error(`invalid port format for --expose: ${item}`);
    const { protocol, text } = splitProtocol(item);
    const range = rangeOf(text);
    if (range === undefined) throw new Error(`invalid range format for --expose: ${item}`);
    for (let port = range.first; port <= range.last; port++) settings.exposed[`${port}/${protocol}`] = {};
  }
  return settings;
}

function shortForm(item: string): [string, PortBinding][] {
  const { address, container, host } = splitParts(item);
  const { protocol, text } = splitProtocol(container);
  if (text === "") throw new Error(`no port specified: ${item}<empty>`);
  if (address !== "" && isIP(address) === 0) throw new Error(`invalid IP address: ${address}`);
  const inside = rangeOf(text);
  if (inside === undefined) throw new Error(`invalid containerPort: ${text}`);
  const outside = host === "" ? undefined : rangeOf(host);
  if (host !== "" && outside === undefined) throw new Error(`invalid hostPort: ${host}`);
  if (!["tcp", "udp", "sctp"].includes(protocol)) throw new Error(`invalid proto: ${protocol}`);
  const bind = (hostPort: string): PortBinding => ({ HostIp: address, HostPort: hostPort });
  if (outside !== undefined && inside.last - inside.first !== outside.last - outside.first) {
    // One port inside may go to any free one of a range outside.
    if (inside.first === inside.last) return [[`${inside.first}/${protocol}`, bind(host)]];
    throw new Error(`invalid ranges specified for container and host Ports: ${text} and ${host}`);
  }
  const out: [string, PortBinding][] = [];
  for (let port = inside.first; port <= inside.last; port++) {
    out.push([`${port}/${protocol}`, bind(outside === undefined ? "" : String(outside.first + port - inside.first))]);
  }
  return out;
}

function splitParts(item: string): { address: string; host: string; container: string } {
  const parts = item.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop() ?? "";
  return { address: parts.join(":").replace(/^\[(.*)\]$/, "$1"), host, container };
}

function longForm(item: string): [string, PortBinding][] {
  const fields: Record<string, string> = { protocol: "tcp" };
  for (const part of item.split(",")) {
    const [key = "", value] = part.split("=", 2);
    if (value === undefined || value === "") throw new Error(`invalid field: ${part}`);
    if (!["target", "published", "protocol", "mode"].includes(key)) throw new Error(`invalid field key: ${key}`);
    fields[key] = value;
  }
  const { protocol = "tcp", published = "", target } = fields;
  if (target === undefined) throw new Error(`missing mandatory field 'target'`);
  if (rangeOf(target) === undefined) throw new Error(`invalid target port (${target}): value must be an integer`);
  return shortForm(`${published}:${target}/${protocol}`);
}

function splitProtocol(item: string): { text: string; protocol: string } {
  const slash = item.indexOf("/");
  if (slash < 0) return { text: item, protocol: "tcp" };
  return { text: item.slice(0, slash), protocol: item.slice(slash + 1).toLowerCase() || "tcp" };
}

function rangeOf(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}
