import type { PortMap } from "#api/wire";
import { Fault } from "#core/fault";
import type { PortProtocol, PortRequest } from "#networks";
import { isIP } from "node:net";

/** Reads `HostConfig.PortBindings`. An empty list or an empty or zero host port takes a free one; `8000-8010` the first free one of the range. */
export function readPortBindings(bindings: PortMap): PortRequest[] {
  return Object.entries(bindings).flatMap(([port, wanted]) => {
    const { protocol, containerPort } = readPort(port);
    const places = wanted === null || wanted.length === 0 ? [{ HostIp: "", HostPort: "" }] : wanted;
    return places.map(({ HostIp, HostPort }) => ({
      protocol,
      containerPort,
      hostIp: readHostIp(HostIp),
      hostPort: readHostPort(HostPort),
    }));
  });
}

/** Reads the keys of `Config.ExposedPorts` into `80/tcp` form. */
export function readExposedPorts(ports: readonly string[]): string[] {
  return ports.map((text) => {
    const { protocol, containerPort } = readPort(text);
    return `${containerPort}/${protocol}`;
  });
}

function readPort(text: string): { protocol: PortProtocol; containerPort: number } {
  const [, digits, word = "tcp"] = /^(\d{1,5})(?:\/([a-zA-Z]+))?$/.exec(text) ?? [];
  const protocol = word.toLowerCase();
  if (digits === undefined || Number(digits) > 65_535 || Number(digits) === 0) {
    throw new Fault("invalid", `invalid port specification: "${text.slice(0, 100)}"`);
  }
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    throw new Fault("invalid", `invalid port specification: "${text.slice(0, 100)}"`);
  }
  return { protocol, containerPort: Number(digits) };
}

function readHostIp(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, "$1");
  if (address !== "" && isIP(address) === 0)
    throw new Fault("invalid", `invalid host IP address: ${text.slice(0, 100)}`);
  return address;
}

function readHostPort(text: string): PortRequest["hostPort"] {
  if (text === "") return { first: 0, last: 0 };
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const first = Number(from);
  const last = Number(to);
  if (from === undefined || first > 65_535 || last > 65_535 || last < first) {
    throw new Fault("invalid", `invalid port specification: "${text.slice(0, 100)}"`);
  }
  return { first, last };
}
