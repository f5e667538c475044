import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, isFault } from "#core/fault";
import type { NetworkPrograms } from "../programs.ts";
import { Firewall, type PlanNow } from "./firewall.ts";

const port = {
  protocol: "tcp",
  hostIp: "0.0.0.0",
  hostPort: 8080,
  containerIp: "172.17.0.2",
  containerPort: 80,
} as const;

/** nft of a kernel that cannot copy packets. */
function withoutCopies(): { readonly programs: NetworkPrograms; readonly applied: string[] } {
  const applied: string[] = [];
  const programs = {
    nft: async (text: string) => {
      if (text.includes("dup to"))
        throw new Fault("internal", "nft failed: meta priority 0x1 dup to ip daddr: No such file");
      applied.push(text);
    },
    nftShape: async () => "as written",
  };
  return { programs: programs as unknown as NetworkPrograms, applied };
}

test("Firewall: on a kernel that cannot copy packets, what the host's firewall is to judge is refused with the remedy", async () => {
  const { programs, applied } = withoutCopies();
  const plan: PlanNow = { networks: [], publications: [], judges: true };
  const firewall = new Firewall(programs, "slipway", () => plan);
  await assert.rejects(
    firewall.ensure(),
    (error) => isFault(error, "unsupported") && /--firewall docker/.test(error.remedy ?? ""),
  );
  assert.deepEqual(applied, []);
});

test("Firewall: there, with the setting docker, ports are translated as they come, and a judged one is still refused", async () => {
  const { programs, applied } = withoutCopies();
  const exposed = { ...port, judged: false };
  let plan: PlanNow = { networks: [], publications: [], judges: false };
  const firewall = new Firewall(programs, "slipway", () => plan);
  await firewall.ensure();
  assert.match(applied[0] ?? "", /chain prerouting \{\n[^}]*return\n\t\tdnat ip to/);
  assert.doesNotMatch(applied[0] ?? "", /iifname != @bridges return|chain judged/);
  plan = { ...plan, publications: [exposed] };
  await firewall.publish([exposed]);
  assert.match(applied[1] ?? "", /^add element inet slipway published4 /);
  const judged = { ...port, hostPort: 8081, judged: true };
  plan = { networks: [], publications: [exposed, judged], judges: true };
  await assert.rejects(firewall.publish([judged]), (error) => isFault(error, "unsupported"));
});
