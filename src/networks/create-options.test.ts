import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBridgeOptions } from "./create-options.ts";

const wrong: Readonly<Record<string, readonly string[]>> = {
  "com.docker.network.bridge.name": ["", "sixteen-letters-", "a/b", "a b", "a:b", ".", "..", "br*", 'a"b', "a#b", "ä"],
  "com.docker.network.bridge.enable_icc": ["", "yes", "2"],
  "com.docker.network.bridge.enable_ip_masquerade": ["on"],
  "com.docker.network.bridge.inhibit_ipv4": ["maybe"],
  "com.docker.network.bridge.default_bridge": ["x"],
  "com.docker.network.bridge.host_binding_ipv4": ["", "::1", "localhost", "1.2.3"],
  "com.docker.network.bridge.gateway_mode_ipv4": ["", "bridge", "isolated"],
  "com.docker.network.bridge.gateway_mode_ipv6": ["NAT", "isolated"],
  "com.docker.network.container_iface_prefix": ["", "0eth", "e/", "elevenchars"],
  "com.docker.network.driver.mtu": ["", "67", "65536", "1e3", "-1", "1500.5"],
};

for (const [key, values] of Object.entries(wrong)) {
  test(`checkBridgeOptions: refuses ${values.map((value) => JSON.stringify(value)).join(", ")} of ${key}`, () => {
    for (const value of values) {
      assert.throws(() => checkBridgeOptions({ [key]: value }, false), { kind: "invalid" }, value);
    }
  });
}

test("checkBridgeOptions: takes what Docker takes, and warns of options that do nothing", () => {
  const options = {
    "com.docker.network.bridge.name": "br-lan.10",
    "com.docker.network.bridge.enable_icc": "F",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
    "com.docker.network.bridge.gateway_mode_ipv4": "routed",
    "com.docker.network.container_iface_prefix": "net",
    "com.docker.network.driver.mtu": "9000",
    "org.example.mine": "anything",
  };
  assert.deepEqual(checkBridgeOptions(options, false), []);
  assert.deepEqual(checkBridgeOptions({ "com.docker.network.bridge.gateway_mode_ipv4": "isolated" }, true), []);
  assert.deepEqual(checkBridgeOptions({ "com.docker.network.new": "1" }, false), [
    "The option com.docker.network.new is not known, and does nothing.",
  ]);
});
