import assert from "node:assert/strict";
import { test } from "node:test";
import { hostSet, isLoopback } from "./address.ts";
import { proxyChooser, proxySettings } from "./proxy.ts";

const has = (entries: string[], url: string, suffixes = false) => hostSet(entries, { suffixes }).has(new URL(url));

test("hostSet: matches names, ports, addresses and ranges", () => {
  assert.ok(has(["registry.lan"], "https://registry.lan:5000"));
  assert.ok(has(["registry.lan:5000"], "http://REGISTRY.lan:5000"));
  assert.ok(!has(["registry.lan:5000"], "http://registry.lan:5001"));
  assert.ok(has(["registry.lan:443"], "https://registry.lan"));
  assert.ok(!has(["registry.lan"], "https://a.registry.lan"));
  assert.ok(has(["10.0.0.0/8"], "http://10.2.3.4:5000"));
  assert.ok(!has(["10.0.0.0/8"], "http://11.2.3.4:5000"));
  assert.ok(has(["10.0.0.1:5000"], "http://10.0.0.1:5000"));
  assert.ok(has(["fd00::/8"], "http://[fd00::1]:5000"));
  assert.ok(has(["[fd00::1]:5000"], "http://[fd00::1]:5000"));
  assert.ok(!has(["10.0.0.0/8"], "http://ten.example"));
});

test("hostSet: with suffixes a name covers what is below it", () => {
  assert.ok(has(["example.com"], "https://a.b.example.com", true));
  assert.ok(has([".example.com"], "https://a.example.com", true));
  assert.ok(has(["*.example.com"], "https://a.example.com", true));
  assert.ok(!has(["example.com"], "https://badexample.com", true));
});

test("isLoopback: knows the machine's own names and not their look-alikes", () => {
  for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]) {
    assert.ok(isLoopback(new URL(`http://${host}:5000`)), host);
  }
  for (const host of ["localhost.example", "127.0.0.1.example", "128.0.0.1", "[::2]"]) {
    assert.ok(!isLoopback(new URL(`http://${host}:5000`)), host);
  }
});

test("proxyChooser: goes by scheme, spares loopback and NO_PROXY", () => {
  const environment = { HTTPS_PROXY: "proxy:3128", http_proxy: "http://plain:1", NO_PROXY: "10.0.0.0/8, .corp, x:81" };
  const choose = proxyChooser(proxySettings(environment));
  const proxyOf = (url: string) => choose(new URL(url))?.host;
  assert.equal(proxyOf("https://registry.example"), "proxy:3128");
  assert.equal(proxyOf("http://registry.example"), "plain:1");
  assert.equal(proxyOf("https://10.1.1.1"), undefined);
  assert.equal(proxyOf("https://a.corp"), undefined);
  assert.equal(proxyOf("http://x:81"), undefined);
  assert.equal(proxyOf("http://x:82"), "plain:1");
  assert.equal(proxyOf("http://127.0.0.1:5000"), undefined);
  assert.equal(proxyChooser({ https: "p:1", no: "*" })(new URL("https://a.b")), undefined);
});
