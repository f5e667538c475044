import assert from "node:assert/strict";
import { test } from "node:test";
import { checkEndpointOptions, endpointSettings } from "./endpoint-options.ts";

const [ifname, sysctls] = ["com.docker.network.endpoint.ifname", "com.docker.network.endpoint.sysctls"];

test("checkEndpointOptions: an interface's name has nothing that a program would read as more", () => {
  for (const name of ["", "a/b", "a b", "x#", 'x"', "a\nb", "..", "sixteen-letters-"]) {
    assert.throws(() => checkEndpointOptions({ [ifname]: name }), { kind: "invalid" }, JSON.stringify(name));
  }
  checkEndpointOptions({ [ifname]: "lan0" });
});

test("endpointSettings: of the endpoint's own interface alone", () => {
  const text = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.gc_stale_time=-1";
  assert.deepEqual(endpointSettings({ [sysctls]: text }, "eth1"), {
    "net/ipv4/conf/eth1/log_martians": "1",
    "net/ipv6/neigh/eth1/gc_stale_time": "-1",
  });
  assert.deepEqual(endpointSettings({}, "eth0"), {});
  for (const wrong of [
    "net.ipv4.conf.all.forwarding=1",
    "net.ipv4.ip_forward=1",
    "kernel.core_pattern=x",
    "net.ipv4.conf.IFNAME.../x=1",
    "net.ipv4.conf.IFNAME.forwarding",
    "net.ipv4.conf.IFNAME.forwarding=1 2",
    ",",
  ]) {
    assert.throws(() => checkEndpointOptions({ [sysctls]: wrong }), { kind: "invalid" }, wrong);
  }
});
