import type { PortSummary } from "#api/client";

/** The ports as `ps` shows them: neighbours joined to ranges, `0.0.0.0:8080->80/tcp, 443/tcp`. */
export function displayPorts(ports: readonly PortSummary[]): string {
  const groups = new Map<string, Group>();
  const done: string[] = [];
  const mapped: string[] = [];
  for (const port of [...ports].sort(comparePorts)) {
    const address = port.IP ?? "";
    if (address !== "" && port.PublicPort !== port.PrivatePort) {
      mapped.push(`${joined(address, String(port.PublicPort ?? 0))}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = `${address}/${port.Type}`;
    const group = groups.get(key);
    if (group !== undefined && port.PrivatePort === group.last + 1) {
      group.last = port.PrivatePort;
      continue;
    }
    if (group !== undefined) done.push(textOf(group));
    groups.set(key, { address, type: port.Type, first: port.PrivatePort, last: port.PrivatePort });
  }
  return [...done, ...Array.from(groups.values(), textOf), ...mapped].join(", ");
}

interface Group {
  readonly address: string;
  readonly type: string;
  readonly first: number;
  last: number;
}

function textOf({ address, first, last, type }: Group): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${address === "" ? range : `${joined(address, range)}->${range}`}/${type}`;
}

function joined(address: string, port: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function comparePorts(left: PortSummary, right: PortSummary): number {
  return (
    left.PrivatePort - right.PrivatePort ||
    order(left.IP ?? "", right.IP ?? "") ||
    (left.PublicPort ?? 0) - (right.PublicPort ?? 0) ||
    order(left.Type, right.Type)
  );
}

function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
