import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { openNetworks } from "./open.ts";
import {
  assertSameSoon,
  hostState,
  inNetwork,
  ipv4Of,
  networkOf,
  neverAborted,
  port,
  requestOf,
} from "./testing/lab.ts";
import { addressesIn, askTcp, routesIn, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";
import { openScratchHost } from "./testing/scratch-host.ts";

if (insideOwnNetns(import.meta.url)) {
  test("attach: with the real shim a published port answers, and all of it goes with the slot", async () => {
    const before = hostState();
    await using host = await openScratchHost();
    const networks = await openNetworks({ ...host, events: host.journal, mtu: 1500, warmSlots: 2 });
    await networks.reconcile(new Set());
    const { slot, attached } = await networks.attach(requestOf("web", [port("tcp", 8080, 80)]), neverAborted);
    {
      await using _server = await serve(slot.pid, 80);
      assert.equal(await askTcp("127.0.0.1", 8080), `hello ${attached.endpoints[0]?.ipv4?.gateway}`);
    }
    await slot[Symbol.asyncDispose]();
    await networks.release("web");
    const { id } = await networks.create(networkOf("inner", { internal: true }));
    const both = await networks.attach(requestOf("both", [], [inNetwork("inner"), inNetwork("bridge")]), neverAborted);
    assert.deepEqual(routesIn(both.slot.pid), ["172.17.0.1 eth1"]);
    assert.deepEqual(addressesIn(both.slot.pid, "eth0"), [`${ipv4Of(both)}/22`]);
    await networks.disconnect("both", networks.find("bridge").id, both.slot.pid);
    assert.deepEqual(routesIn(both.slot.pid), []);
    await both[Symbol.asyncDispose]();
    await networks.remove(id);
    const none = await networks.attach({ ...requestOf("none"), mode: "none" }, neverAborted);
    assert.ok(existsSync(`/proc/${none.slot.pid}/ns/net`));
    await none[Symbol.asyncDispose]();
    await networks.close();
    await assertSameSoon(before);
  });
}
