import assert from "node:assert/strict";
import { test } from "node:test";
import { hostState, inNetwork, ipv4Of, openLab, pools } from "./testing/lab.ts";
import { askTcp, askTcpFrom, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

const named = { options: { "com.docker.network.bridge.name": "lan0" } };

if (insideOwnNetns(import.meta.url)) {
  test("create: a bridge of the host is used with the subnet that it has, its address is the gateway, and it outlives the network", async () => {
    run("ip", "link", "add", "lan0", "type", "bridge");
    for (const address of ["10.66.0.254/24", "10.66.0.2/24", "fd66::1/64"]) {
      run("ip", "address", "add", address, "dev", "lan0", ...(address.includes(":") ? ["nodad"] : []));
    }
    run("ip", "link", "set", "lan0", "up");
    {
      await using lab = await openLab({ warmSlots: 0 });
      await assert.rejects(lab.network("elsewhere", { ipam: pools("10.66.0.0/24") }), {
        kind: "forbidden",
        remedy: /clashes with the route 10\.66\.0\.0\/24 of lan0/,
      });
      const lan = await lab.network("lan", { ...named, ipam: pools("10.66.0.0/24") });
      assert.deepEqual(lan.ipam.pools, [
        { subnet: "10.66.0.0/24", gateway: "10.66.0.254", auxiliary: { "lan0.0": "10.66.0.2" } },
      ]);
      const web = await lab.attach("web", [], inNetwork("lan"));
      const other = await lab.attach("other", [], inNetwork("lan"));
      assert.deepEqual([ipv4Of(web), ipv4Of(other)], ["10.66.0.1", "10.66.0.3"]);
      await using _server = await serve(web.slot.pid, 80);
      assert.equal(await askTcp("10.66.0.1", 80), "hello 10.66.0.254");
      assert.equal(askTcpFrom(other.slot.pid, "10.66.0.1", 80), "hello 10.66.0.3");
      // How the host itself uses IPv6 there is its own affair.
      assert.match(run("ip", "address", "show", "dev", "lan0"), /fd66::1\/64/);
      for (const id of ["web", "other"]) await lab.networks.release(id);
      await lab.reopen();
      await lab.networks.reconcile(new Map());
      assert.match(run("ip", "address", "show", "dev", "lan0"), /fd66::1\/64/);
      await lab.networks.remove("lan");
      assert.ok(hostState().links.includes("lan0"));
    }
    assert.match(run("ip", "address", "show", "dev", "lan0"), /10\.66\.0\.254\/24/);
    run("ip", "link", "delete", "lan0");
  });

  test("create: a link of that name that is no bridge is refused, and left alone", async () => {
    run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1");
    run("ip", "address", "add", "10.66.0.254/24", "dev", "lan0");
    {
      await using lab = await openLab({ warmSlots: 0 });
      await assert.rejects(lab.network("lan", { ...named, ipam: pools("10.66.0.0/24") }), {
        kind: "conflict",
        message: "the link lan0 of this host is no bridge",
      });
      assert.equal(lab.networks.list().length, 3);
    }
    run("ip", "link", "delete", "lan0");
  });
}
