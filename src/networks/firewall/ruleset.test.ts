import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { subnetFrom } from "./address.ts";
import { type FirewallPlan, type Publication, publishText, removalText, rulesetOf, withdrawText } from "./ruleset.ts";

const web: Publication = {
  protocol: "tcp",
  hostIp: "0.0.0.0",
  hostPort: 8080,
  containerIp: "172.17.0.2",
  containerPort: 80,
};
const dns: Publication = {
  protocol: "udp",
  hostIp: "192.0.2.2",
  hostPort: 53,
  containerIp: "172.17.0.3",
  containerPort: 5353,
};
const bridge = { bridge: "slipway0", subnet: subnetFrom("172.17.0.0/16") };
const other = { bridge: "slw-one", subnet: subnetFrom("172.18.0.0/16") };

const plans: Readonly<Record<string, FirewallPlan>> = {
  "no-ports": { table: "slipway", networks: [bridge], publications: [] },
  "two-ports": { table: "slipway-0a1b2c", networks: [bridge], publications: [web, dns] },
  "two-networks": { table: "slipway", networks: [bridge, other], publications: [web] },
};

for (const [name, plan] of Object.entries(plans)) {
  test(`rulesetOf: ${name} is as golden/${name}.nft says, and nft accepts it`, () => {
    const text = rulesetOf(plan);
    const path = join(import.meta.dirname, "golden", `${name}.nft`);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
    const check = spawnSync("unshare", ["--net", "nft", "-c", "-f", "-"], { input: text, encoding: "utf8" });
    assert.equal(check.status, 0, check.stderr);
  });
}

test("publishText: one more port is one element; withdrawText takes that element back", () => {
  assert.equal(
    publishText("slipway", [web, dns]),
    "add element inet slipway published { tcp . 8080 : 172.17.0.2 . 80 }\n" +
      "add element inet slipway published_at { 192.0.2.2 . udp . 53 : 172.17.0.3 . 5353 }\n",
  );
  assert.equal(
    withdrawText("slipway", [web, dns]),
    "delete element inet slipway published { tcp . 8080 }\n" +
      "delete element inet slipway published_at { 192.0.2.2 . udp . 53 }\n",
  );
});

test("removalText: is accepted where there is no table", () => {
  const end = spawnSync("unshare", ["--net", "nft", "-f", "-"], { input: removalText("slipway"), encoding: "utf8" });
  assert.equal(end.stderr, "");
});
