import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { forwardObstacles } from "./forward-obstacles.ts";

const ours = `table inet slipway {
  set bridges { type ifname; elements = { "slipway0", "br-shop", "br-vault" }; }
  set internal { type ifname; elements = { "br-vault" }; }
  set masqueraded6 { type ifname; elements = { "br-shop" }; }
  chain forward { type filter hook forward priority 0; policy accept; }
}
`;
const forward = (policy: string, rules = ""): string =>
  `chain FORWARD { type filter hook forward priority 0; policy ${policy}; ${rules} }\n`;

/** What the kernel makes of these rules, in a namespace of its own. */
function obstacles(rules: string): ReturnType<typeof forwardObstacles> {
  const script = `nft -f - <<'END' && nft -j list ruleset\n${ours}${rules}\nEND`;
  const { status, stdout, stderr } = spawnSync("unshare", ["--net", "sh", "-c", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return forwardObstacles(stdout, "slipway");
}

test("forwardObstacles: nothing is in the way of what no other table drops", () => {
  assert.deepEqual(obstacles(""), []);
  assert.deepEqual(obstacles(`table ip filter { ${forward("accept")} }`), []);
  assert.deepEqual(
    obstacles(`table ip filter { chain INPUT { type filter hook input priority 0; policy drop; }; }`),
    [],
  );
});

test("forwardObstacles: a policy is named with the commands that let our bridges through; internal ones need none", () => {
  assert.deepEqual(obstacles(`table ip filter { ${forward("drop")} }`), [
    {
      text: "the policy of the chain FORWARD of iptables drops what the containers of br-shop, slipway0 exchange with other machines",
      remedy:
        "iptables -I FORWARD -i br-shop -j ACCEPT; iptables -I FORWARD -o br-shop -j ACCEPT; iptables -I FORWARD -i slipway0 -j ACCEPT; iptables -I FORWARD -o slipway0 -j ACCEPT",
    },
  ]);
  assert.equal(
    obstacles(`table ip6 router { ${forward("drop")} }`)[0]?.remedy,
    "nft insert rule ip6 router FORWARD iifname br-shop accept; nft insert rule ip6 router FORWARD oifname br-shop accept",
  );
});

test("forwardObstacles: Docker, ufw and firewalld are known by their chains", () => {
  const owner = (rules: string): string => obstacles(rules)[0]?.text.split(" drops")[0] ?? "";
  assert.equal(owner(`table ip filter { chain DOCKER-USER { }; ${forward("drop")} }`), "Docker's forward policy");
  assert.equal(owner(`table ip filter { chain ufw-user-forward { }; ${forward("drop")} }`), "ufw");
  assert.equal(owner(`table inet firewalld { ${forward("accept")} }`), "firewalld");
});

test("forwardObstacles: rules that name a bridge, or the beginning of its name, were made to fit", () => {
  const rules = (text: string): string => `table ip filter { ${forward("drop", text)} }`;
  assert.match(obstacles(rules('iifname "br-shop" accept;'))[0]?.text ?? "", /of slipway0 exchange/);
  assert.deepEqual(obstacles(rules('iifname { "br-shop", "slipway0" } accept;')), []);
  assert.deepEqual(obstacles(rules('iifname "br-*" accept; oifname "slipway0" accept;')), []);
});
