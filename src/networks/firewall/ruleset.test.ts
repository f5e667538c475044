import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type FirewallPlan,
  type NetworkRules,
  type Publication,
  addNetworksText,
  publishText,
  removalText,
  removeNetworksText,
  rulesetOf,
  withdrawText,
} from "./ruleset.ts";

const web = publication("tcp", "0.0.0.0", 8080, "172.17.0.2", 80);
const dns = publication("udp", "192.0.2.2", 53, "172.17.0.3", 5353);
const phone = publication("sctp", "0.0.0.0", 3868, "172.17.0.2", 3868);
const web6 = publication("tcp", "::", 8080, "fd00::2", 80);
const dns6 = publication("udp", "2001:db8::1", 53, "fd00::3", 5353);
const relayed = publication("tcp", "::", 8082, "172.17.0.2", 80);
const relayedAt = publication("udp", "2001:db8::1", 55, "172.17.0.3", 53);
const open = { ...web, hostPort: 8081, judged: false };
const open6 = { ...dns6, hostPort: 54, judged: false };
const routed = publication("tcp", "0.0.0.0", 0, "172.19.0.2", 80);
const routed6 = publication("udp", "::", 0, "fd00:19::2", 53);
const everyPort = [web, dns, phone, web6, dns6, open, open6, routed, routed6, relayed, relayedAt];
const plain = rules("slipway0");
const several = [
  plain,
  rules("br-internal", { internal: true, masquerades: { ipv4: false, ipv6: false } }),
  rules("br-lonely", { talks: false }),
  rules("br-seen", { masquerades: { ipv4: false, ipv6: false } }),
  rules("br-routed", { masquerades: { ipv4: false, ipv6: false }, routed: { ipv4: true, ipv6: true } }),
  rules("br-open", { open: { ipv4: true, ipv6: true } }),
  rules("br-six.10", { masquerades: { ipv4: true, ipv6: true } }),
];

const plans: Readonly<Record<string, FirewallPlan>> = {
  "no-network": { table: "slipway", networks: [], publications: [], copies: true },
  "one-network": { table: "slipway", networks: [plain], publications: [], copies: false },
  "several-networks": { table: "slipway-0a1b2c", networks: several, publications: [], copies: true },
  ports: { table: "slipway", networks: [plain], publications: everyPort, copies: true },
};

for (const [name, plan] of Object.entries(plans)) {
  test(`rulesetOf: ${name} is as golden/${name}.nft says, and nft accepts it`, () => {
    const text = rulesetOf(plan);
    const path = join(import.meta.dirname, "golden", `${name}.nft`);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
    nft(["-c", "-f", "-"], text);
  });
}

test("golden: has the plans above and nothing else", () => {
  const files = readdirSync(join(import.meta.dirname, "golden")).sort();
  assert.deepEqual(
    files,
    Object.keys(plans)
      .map((name) => `${name}.nft`)
      .sort(),
  );
});

test("rulesetOf: written over another plan, nothing of that is left", () => {
  const [first, second] = [plans["ports"], plans["one-network"]];
  assert.ok(first && second);
  assert.deepEqual(tableAfter(rulesetOf(first), rulesetOf(second)), tableAfter(rulesetOf(second)));
});

test("addNetworksText, removeNetworksText: the table becomes what the whole plan writes", () => {
  const [table, publications] = ["slipway", [web, web6]];
  for (const network of several) {
    const others = several.filter((each) => each !== network);
    const whole = rulesetOf({ table, networks: several, publications, copies: true });
    const without = rulesetOf({ table, networks: others, publications, copies: true });
    assert.deepEqual(tableAfter(without, addNetworksText(table, [network])), tableAfter(whole), network.bridge);
    assert.deepEqual(tableAfter(whole, removeNetworksText(table, [network])), tableAfter(without), network.bridge);
  }
  const [none, all] = [[], several].map((networks) => rulesetOf({ table, networks, publications, copies: true }));
  assert.deepEqual(tableAfter(none ?? "", addNetworksText(table, several)), tableAfter(all ?? ""));
  // The whole may have been written with it already.
  assert.deepEqual(tableAfter(all ?? "", addNetworksText(table, several)), tableAfter(all ?? ""));
});

test("publishText, withdrawText: the table becomes what the whole plan writes", () => {
  const [table, networks] = ["slipway", [plain]];
  const all = everyPort;
  for (const one of all) {
    const whole = rulesetOf({ table, networks, publications: all, copies: true });
    const without = rulesetOf({ table, networks, publications: all.filter((each) => each !== one), copies: true });
    assert.deepEqual(tableAfter(without, publishText(table, [one])), tableAfter(whole));
    assert.deepEqual(tableAfter(whole, withdrawText(table, [one])), tableAfter(without));
  }
  // A container that now answers by another address.
  const moved = { ...web, containerIp: "172.18.0.9" };
  const after = withdrawText(table, [web]) + publishText(table, [moved]);
  const [before, then] = [[web], [moved]].map((publications) =>
    rulesetOf({ table, networks, publications, copies: true }),
  );
  assert.deepEqual(tableAfter(before ?? "", after), tableAfter(then ?? ""));
});

test("publishText: one more port is two elements; withdrawText takes them back", () => {
  assert.equal(
    publishText("slipway", [web, dns, open, open6, routed6, relayed, relayedAt]),
    "add element inet slipway published4 { tcp . 8080 : 172.17.0.2 . 80 }\n" +
      "add element inet slipway judged4 { tcp . 8080 }\n" +
      "add element inet slipway published4_at { 192.0.2.2 . udp . 53 : 172.17.0.3 . 5353 }\n" +
      "add element inet slipway judged4_at { 192.0.2.2 . udp . 53 }\n" +
      "add element inet slipway published4 { tcp . 8081 : 172.17.0.2 . 80 }\n" +
      "add element inet slipway exposed4 { tcp . 8081 }\n" +
      "add element inet slipway published6_at { 2001:db8::1 . udp . 54 : fd00::3 . 5353 }\n" +
      "add element inet slipway exposed6_at { 2001:db8::1 . udp . 54 }\n" +
      "add element inet slipway reached6 { fd00:19::2 . udp . 53 }\n" +
      "add element inet slipway relayed6 { tcp . 8082 }\n" +
      "add element inet slipway relayed6_at { 2001:db8::1 . udp . 55 }\n",
  );
  assert.equal(
    withdrawText("slipway", [web, dns6, relayed]),
    "delete element inet slipway published4 { tcp . 8080 }\n" +
      "delete element inet slipway judged4 { tcp . 8080 }\n" +
      "delete element inet slipway published6_at { 2001:db8::1 . udp . 53 }\n" +
      "delete element inet slipway judged6_at { 2001:db8::1 . udp . 53 }\n" +
      "delete element inet slipway relayed6 { tcp . 8082 }\n",
  );
});

test("removalText: is accepted where there is no table", () => {
  nft(["-f", "-"], removalText("slipway"));
});

function publication(
  protocol: Publication["protocol"],
  hostIp: string,
  hostPort: number,
  containerIp: string,
  containerPort: number,
): Publication {
  return { protocol, hostIp, hostPort, containerIp, containerPort, judged: true };
}

function rules(bridge: string, more: Partial<NetworkRules> = {}): NetworkRules {
  const none = { ipv4: false, ipv6: false };
  return {
    bridge,
    talks: true,
    internal: false,
    masquerades: { ipv4: true, ipv6: false },
    open: none,
    routed: none,
    ...more,
  };
}

/** What the kernel has after these transactions, in a namespace of its own; handles and the order of elements say nothing. */
function tableAfter(...transactions: readonly string[]): unknown {
  const quoted = transactions.map((text) => `nft -f - <<'END' || exit 1\n${text}\nEND\n`).join("");
  const end = spawnSync("unshare", ["--net", "sh", "-c", `${quoted}nft -j list ruleset`], { encoding: "utf8" });
  assert.equal(end.status, 0, end.stderr);
  return sorted(JSON.parse(end.stdout));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "handle")
      .map(([key, each]) => [
        key,
        key === "elem" && Array.isArray(each) ? each.map((one) => JSON.stringify(one)).sort() : sorted(each),
      ]),
  );
}

function nft(words: readonly string[], text: string): void {
  const end = spawnSync("unshare", ["--net", "nft", ...words], { input: text, encoding: "utf8" });
  assert.equal(end.status, 0, end.stderr);
}
