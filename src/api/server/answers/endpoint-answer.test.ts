import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion } from "#api/wire";
import type { Container } from "#containers";
import type { Endpoint, EndpointRequest, Network } from "#networks";
import { fakeContainerId, fakeNetwork, fakeRooms } from "../testing/fake-rooms.ts";
import { networkSettings, portSummaries } from "./container-network.ts";
import { networkMap } from "./endpoint-answer.ts";

const front: Network = { ...fakeNetwork, id: "f1".repeat(32), name: "front" };
const back: Network = { ...fakeNetwork, id: "f2".repeat(32), name: "back", internal: true };
const networks = [fakeNetwork, front, back];
const newest = apiVersion("1.51");

const asked: EndpointRequest = {
  network: "front",
  ipv4: "10.1.0.9",
  linkLocal: ["169.254.1.1"],
  macAddress: "02:42:ac:11:00:09",
  aliases: ["db"],
  links: ["x:y"],
  options: { a: "b" },
  gatewayPriority: 3,
};
const plain = (network: string): EndpointRequest => ({
  network,
  linkLocal: [],
  aliases: [],
  links: [],
  options: {},
  gatewayPriority: 0,
});

function endpoint({ id, name }: Network, digit: string): Endpoint {
  return {
    id: digit.repeat(64),
    networkId: id,
    networkName: name,
    ipv4: { address: `10.${digit}.0.9`, prefixLength: 24, gateway: `10.${digit}.0.1` },
    ipv6: { address: `fd00:${digit}::9`, prefixLength: 64, gateway: `fd00:${digit}::1` },
    macAddress: "02:42:ac:11:00:09",
    interface: "eth0",
    dnsNames: ["web", "db", fakeContainerId.slice(0, 12)],
  };
}

/** The fake container on those networks. */
function container(
  networkMode: string,
  endpoints: readonly EndpointRequest[],
  attached?: Container["attached"],
): Container {
  const { attached: _, ...found } = fakeRooms().options.containers.find("web");
  return {
    ...found,
    spec: { ...found.spec, networkMode, endpoints },
    ...(attached === undefined ? { state: { status: "created" } } : { attached }),
  };
}

test("networkMap: a running container's networks by name, with Docker's fields in Docker's order", () => {
  const running = container("front", [asked, plain(back.id.slice(0, 12))], {
    endpoints: [endpoint(front, "1"), endpoint(back, "2")],
    ports: [],
  });
  const map = networkMap(running, { networks, version: newest });
  assert.deepEqual(Object.keys(map), ["back", "front"]);
  assert.equal(
    JSON.stringify(map["front"]),
    JSON.stringify({
      IPAMConfig: { IPv4Address: "10.1.0.9", LinkLocalIPs: ["169.254.1.1"] },
      Links: ["x:y"],
      Aliases: ["db"],
      MacAddress: "02:42:ac:11:00:09",
      DriverOpts: { a: "b" },
      GwPriority: 3,
      NetworkID: front.id,
      EndpointID: "1".repeat(64),
      Gateway: "10.1.0.1",
      IPAddress: "10.1.0.9",
      IPPrefixLen: 24,
      IPv6Gateway: "fd00:1::1",
      GlobalIPv6Address: "fd00:1::9",
      GlobalIPv6PrefixLen: 64,
      DNSNames: ["web", "db", fakeContainerId.slice(0, 12)],
    }),
  );
  const { Gateway, IPAMConfig, IPAddress, IPv6Gateway } = map["back"] ?? {};
  assert.deepEqual([Gateway, IPv6Gateway, IPAddress, IPAMConfig], ["", "", "10.2.0.9", null], "an internal network");
});

test("networkMap: one that does not run shows what it asks for, with empty addresses", () => {
  const map = networkMap(container("front", [asked, plain("removed")]), { networks, version: newest });
  assert.deepEqual(Object.keys(map), ["front", "removed"]);
  assert.deepEqual(map["front"], {
    IPAMConfig: { IPv4Address: "10.1.0.9", LinkLocalIPs: ["169.254.1.1"] },
    Links: ["x:y"],
    Aliases: ["db"],
    MacAddress: "",
    DriverOpts: { a: "b" },
    GwPriority: 3,
    NetworkID: front.id,
    EndpointID: "",
    Gateway: "",
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  });
  assert.equal(map["removed"]?.NetworkID, "");
});

test("networkMap: older versions have fewer fields, and the container's own names among the aliases", () => {
  const created = container("front", [asked, plain("bridge")]);
  const fields = (version: string) => {
    const { bridge, front: own } = networkMap(created, { networks, version: apiVersion(version) });
    assert.ok(own !== undefined);
    return ["GwPriority" in own, "DNSNames" in own, own.Aliases, bridge?.Aliases];
  };
  const names = ["db", fakeContainerId.slice(0, 12), "abababababab"];
  assert.deepEqual(fields("1.48"), [true, true, ["db"], null]);
  assert.deepEqual(fields("1.47"), [false, true, ["db"], null]);
  assert.deepEqual(fields("1.44"), [false, true, [...new Set(names)], null]);
  assert.deepEqual(fields("1.43"), [false, false, [...new Set(names)], null]);
});

test("networkMap: host and none are networks too, another container's is not", () => {
  const names = (mode: string) =>
    Object.keys(networkMap(container(mode, [], { endpoints: [], ports: [] }), { networks, version: newest }));
  assert.deepEqual([names("host"), names("none"), names("container:x"), names("ns:/x")], [["host"], ["none"], [], []]);
});

test("networkSettings: the flat fields are those of the default bridge alone", () => {
  const flat = (where: Network) => {
    const place = container(where.name, [plain(where.name)], { endpoints: [endpoint(where, "1")], ports: [] });
    const { EndpointID, Gateway, GlobalIPv6Address, IPAddress, IPPrefixLen, MacAddress } = networkSettings(place, {
      networks,
      version: newest,
    });
    return [EndpointID, Gateway, GlobalIPv6Address, IPAddress, IPPrefixLen, MacAddress];
  };
  assert.deepEqual(flat(fakeNetwork), ["1".repeat(64), "10.1.0.1", "fd00:1::9", "10.1.0.9", 24, "02:42:ac:11:00:09"]);
  assert.deepEqual(flat(front), ["", "", "", "", 0, ""]);
});

test("portSummaries: by port and address; none without a network", () => {
  const tcp = { protocol: "tcp", hostPort: 5000 } as const;
  const ports = [
    { ...tcp, containerPort: 8080, hostIp: "::" },
    { ...tcp, containerPort: 8080, hostIp: "0.0.0.0" },
    { ...tcp, containerPort: 53, hostIp: "127.0.0.1" },
  ];
  const on = (endpoints: readonly Endpoint[]) => portSummaries(container("front", [], { endpoints, ports }));
  assert.deepEqual(
    on([endpoint(front, "1")]).map(({ IP, PrivatePort, PublicPort }) => [PrivatePort, IP, PublicPort]),
    [
      [53, "127.0.0.1", 5000],
      [80, undefined, undefined],
      [8080, "0.0.0.0", 5000],
      [8080, "::", 5000],
    ],
  );
  assert.deepEqual(on([]), []);
});
