import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "../addresses/address.ts";
import type { Network, PublishedPort } from "../networks.ts";
import { heldPortsOf } from "../ports/held-ports.ts";
import { publicationsOf } from "../ports/publications.ts";
import type { EndpointRecord } from "../records.ts";
import { gatewayEndpoint, wayOut } from "./gateways.ts";

test("gatewayEndpoint: the greatest priority leads, then the network's name; internal and isolated ones never", () => {
  const [alpha, beta] = [endpoint("alpha"), endpoint("beta")];
  assert.equal(leader(beta, alpha), "alpha");
  assert.equal(leader(alpha, endpoint("zeta", { gatewayPriority: 1 })), "zeta");
  assert.equal(leader(alpha, endpoint("beta", { gatewayPriority: -1 })), "alpha");
  assert.equal(leader(endpoint("a", { gatewayPriority: 9 }, { internal: true }), beta), "beta");
  const isolated = { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" };
  assert.equal(leader(endpoint("a", {}, { internal: true, options: isolated }), beta), "beta");
  assert.equal(leader(endpoint("a", {}, { internal: true })), undefined);
  assert.equal(leader(), undefined);
});

test("gatewayEndpoint: each family has its own", () => {
  const six = endpoint("six", { ipv6: "fd00::2" });
  const both = [endpoint("four"), six];
  assert.equal(gatewayEndpoint(both, 4)?.network.name, "four");
  assert.equal(gatewayEndpoint(both, 6), six);
  assert.equal(formatAddress(wayOut(six, 6)?.gateway ?? assert.fail()), "fd00::1");
});

test("publicationsOf: ports lead to the endpoint that answers, of their family", () => {
  const port = { protocol: "tcp", containerPort: 80, hostPort: 8080 } as const;
  const ports = [
    { ...port, hostIp: "0.0.0.0" },
    { ...port, hostIp: "::" },
  ];
  const endpoints = [endpoint("b", { ipv6: "fd00::2" }), endpoint("a", { ipv4: "10.0.0.7" })];
  assert.deepEqual(publicationsOf({ ports, endpoints }), [
    { ...port, hostIp: "0.0.0.0", containerIp: "10.0.0.7", judged: true },
    { ...port, hostIp: "::", containerIp: "fd00::2", judged: true },
  ]);
  assert.deepEqual(publicationsOf({ ports, endpoints: [endpoint("in", {}, { internal: true })] }), []);
  const relayed = publicationsOf({ ports, endpoints: [endpoint("a", { ipv4: "10.0.0.7" })] });
  assert.deepEqual(relayed.at(1), { ...port, hostIp: "::", containerIp: "10.0.0.7", judged: true });
});

test("heldPortsOf: what the firewall cannot lead has a target: ::1, and IPv6 to a container without it, but for SCTP", () => {
  const addresses = ["0.0.0.0", "127.0.0.1", "::", "::1", "2001:db8::1"];
  const targets = (protocol: PublishedPort["protocol"], ...endpoints: readonly EndpointRecord[]): unknown[] => {
    const ports = addresses.map((hostIp) => ({ protocol, containerPort: 80, hostPort: 8080, hostIp }));
    const held = heldPortsOf({ ports, endpoints });
    assert.deepEqual(
      held.map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`),
      addresses.map((hostIp) => `${hostIp} 8080`),
    );
    return held.map(({ target }) => target?.ip);
  };
  const none = undefined;
  const [four, six] = [endpoint("a", { ipv4: "10.0.0.7" }), endpoint("b", { ipv6: "fd00::2" })];
  assert.deepEqual(targets("tcp", four), [none, none, "10.0.0.7", "10.0.0.7", "10.0.0.7"]);
  assert.deepEqual(targets("udp", four, six), [none, none, "fd00::2", "fd00::2", none]);
  assert.deepEqual(targets("sctp", four, six), [none, none, none, none, none]);
  assert.deepEqual(targets("tcp", endpoint("in", {}, { internal: true })), [none, none, none, none, none]);
});

function leader(...endpoints: readonly EndpointRecord[]): string | undefined {
  return gatewayEndpoint(endpoints, 4)?.network.name;
}

function endpoint(name: string, more: Partial<EndpointRecord> = {}, network: Partial<Network> = {}): EndpointRecord {
  const pools = [
    { subnet: "10.0.0.0/24", gateway: "10.0.0.1", auxiliary: {} },
    { subnet: "fd00::/64", gateway: "fd00::1", auxiliary: {} },
  ];
  return {
    containerId: "c",
    network: {
      id: name,
      name,
      driver: "bridge",
      createdNs: 0n,
      ipv4: true,
      ipv6: true,
      internal: false,
      attachable: false,
      ipam: { driver: "default", options: {}, pools },
      options: {},
      labels: {},
      ...network,
    },
    endpointId: "e",
    ipv4: "10.0.0.2",
    macAddress: "",
    link: "l",
    interface: "eth0",
    linkLocal: [],
    aliases: [],
    links: {},
    gatewayPriority: 0,
    ...more,
  };
}
