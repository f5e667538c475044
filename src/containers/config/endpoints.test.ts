import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointRequest, Network } from "#networks";
import { checkEndpoint, checkEndpointRequest } from "./endpoints.ts";
import { checkNetworkChange, endpointsOfMode, parseNetworkMode, plainEndpoint } from "./network-mode.ts";

const refused: readonly [Partial<EndpointRequest>, RegExp][] = [
  [{ ipv4: "1.2.3" }, /^invalid IPv4 address: "1\.2\.3"$/],
  [{ ipv4: "fd00::1" }, /^invalid IPv4 address/],
  [{ ipv6: "10.0.0.1" }, /^invalid IPv6 address/],
  [{ ipv6: "fe80::1%eth0" }, /^invalid IPv6 address/],
  [{ linkLocal: ["10.0.0.1"] }, /^invalid link-local IP address: "10\.0\.0\.1"$/],
  [{ macAddress: "02:42" }, /^invalid MAC address: "02:42"$/],
  [{ macAddress: "01:00:5e:00:00:01" }, /^invalid MAC address/],
  [{ aliases: ["a b"] }, /^invalid network alias "a b"$/],
  [{ aliases: ["-x"] }, /^invalid network alias/],
];

for (const [request, message] of refused) {
  test(`checkEndpointRequest: refuses ${JSON.stringify(request)}`, () => {
    assert.throws(() => checkEndpointRequest({ ...plainEndpoint("one"), ...request }), { kind: "invalid", message });
  });
}

test("checkEndpointRequest: takes what is right", () => {
  checkEndpointRequest({
    ...plainEndpoint("one"),
    ipv4: "10.0.0.2",
    ipv6: "fd00::2",
    linkLocal: ["169.254.1.2", "fe80::7"],
    macAddress: "02:42:AC:11:00:02",
    aliases: ["db", "db.example", "_x1"],
  });
});

test("checkEndpoint: the default bridge takes no address and no alias of one's own choice", () => {
  const bridge = { name: "bridge", ipam: { pools: [{}] } } as unknown as Network;
  const own = { ...bridge, name: "own" };
  assert.throws(() => checkEndpoint({ ...plainEndpoint("bridge"), ipv4: "172.17.0.9" }, bridge), {
    message: /user specified IP address is supported on user defined networks only/,
  });
  assert.throws(() => checkEndpoint({ ...plainEndpoint("bridge"), aliases: ["db"] }, bridge), {
    message: /network-scoped aliases are only supported for user-defined networks/,
  });
  checkEndpoint({ ...plainEndpoint("own"), ipv4: "172.18.0.9", aliases: ["db"] }, own);
});

test("parseNetworkMode: what --network means, and which networks follow from it", () => {
  assert.deepEqual(parseNetworkMode("ns:/run/netns/blue"), { kind: "namespace", path: "/run/netns/blue" });
  assert.deepEqual(parseNetworkMode("own"), { kind: "network", name: "own" });
  assert.deepEqual(endpointsOfMode("default"), [plainEndpoint("bridge")]);
  assert.deepEqual(["none", "host", "container:x", "ns:/x"].flatMap(endpointsOfMode), []);
});

test("checkNetworkChange: only containers with networks of their own come and go", () => {
  for (const [mode, network, message] of [
    ["host", "own", /host network/],
    ["own", "host", /host network/],
    ["none", "own", /private \(none\) mode/],
    ["own", "none", /private \(none\) mode/],
    ["container:abc", "own", /sharing network namespace/],
    ["ns:/x", "own", /sharing network namespace/],
  ] as const) {
    assert.throws(() => checkNetworkChange(mode, network), { kind: "forbidden", message });
  }
  checkNetworkChange("default", "own");
});
