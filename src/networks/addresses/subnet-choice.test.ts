import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSubnet, subnetFrom } from "./address.ts";
import { chooseSubnet, defaultSubnets, occupiedBy } from "./subnet-choice.ts";

test("chooseSubnet: takes the first default network that no route, interface or resolver of the host uses", () => {
  const routes = [
    { dst: "default", gateway: "172.20.0.1", dev: "eth0" },
    { dst: "172.16.0.0/15", dev: "vpn0" },
    { type: "local", dst: "172.18.4.5", dev: "eth0", table: "local" },
    { dst: "172.19.0.0/16", dev: "slipway0" },
    { dst: "fd00::/64", dev: "eth0" },
    { type: "blackhole", dst: "172.21.0.0/24" },
  ];
  const resolvConf = "search example\nnameserver 172.19.0.53\nnameserver fd00::1\n nameserver 172.20.1.1\n";
  const occupied = occupiedBy(routes, resolvConf, "slipway0");
  assert.equal(formatSubnet(chooseSubnet(defaultSubnets, occupied)), "172.22.0.0/16");
  assert.equal(formatSubnet(chooseSubnet(defaultSubnets, [])), "172.17.0.0/16");
});

test("chooseSubnet: with none left names what clashes", () => {
  const occupied = occupiedBy(
    [
      { dst: "172.16.0.0/12", dev: "vpn0" },
      { dst: "192.168.0.0/16", dev: "lan0" },
    ],
    "",
    "",
  );
  assert.throws(() => chooseSubnet(defaultSubnets, occupied), {
    kind: "exhausted",
    message: "all predefined address pools have been fully subnetted",
    remedy:
      "Choose a free network with --bip; 172.17.0.0/16 for instance clashes with the route 172.16.0.0/12 of vpn0.",
  });
});

test("defaultSubnets: private networks that do not overlap each other", () => {
  const shown = defaultSubnets.map((text) => formatSubnet(subnetFrom(text)));
  assert.deepEqual(shown, defaultSubnets);
  assert.equal(new Set(shown).size, 31);
});
