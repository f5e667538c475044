import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bridgeNameOf } from "./links/bridge-plan.ts";
import { hostState, inNetwork, ipv4Of, ipv6Of, type Lab, openLab, port } from "./testing/lab.ts";
import { askTcp, askTcpFrom, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

/** Waits until a bridge was told to be back, for the nth time. */
async function restored(lab: Lab, bridge: string, times = 1): Promise<void> {
  const count = (): number =>
    lab.events.filter(({ action, actorId }) => action === "bridge" && actorId === bridge).length;
  const end = Date.now() + 5000;
  while (count() < times && Date.now() < end) await sleep(20);
  assert.equal(count(), times, `${bridge} is back`);
}

if (insideOwnNetns(import.meta.url)) {
  test("bridge watch: deleted or robbed of its addresses, the default bridge is back with its containers, ports and waiting slots", async () => {
    await using lab = await openLab({ watches: true, warmSlots: 2 });
    const [web, other] = [await lab.attach("web", [port("tcp", 8080, 80)]), await lab.attach("other")];
    await using _server = await serve(web.slot.pid, 80);
    const bridge = "slw-0a1b2c";
    const answers = async (): Promise<void> => {
      assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
      assert.equal(askTcpFrom(other.slot.pid, ipv4Of(web), 80), `hello ${ipv4Of(other)}`);
    };
    await answers();
    run("ip", "link", "delete", bridge);
    assert.notEqual(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    await restored(lab, bridge);
    await answers();
    assert.equal(run("sysctl", "-n", `net.ipv4.conf.${bridge}.route_localnet`), "1\n");
    // From the slots that waited.
    const late = await lab.attach("late");
    assert.equal(askTcpFrom(late.slot.pid, ipv4Of(web), 80), `hello ${ipv4Of(late)}`);
    run("ip", "address", "flush", "dev", bridge);
    await restored(lab, bridge, 2);
    await answers();
  });

  test("bridge watch: a network of one's own with IPv6, and one without any address on the host", async () => {
    await using lab = await openLab({ watches: true, warmSlots: 0 });
    const dual = await lab.network("dual", { ipv6: true });
    const bare = await lab.network("bare", { options: { "com.docker.network.bridge.inhibit_ipv4": "true" } });
    const bridges = [dual, bare].map(bridgeNameOf);
    const one = await lab.attach("one", [], inNetwork("dual"), inNetwork("bare"));
    const two = await lab.attach("two", [], inNetwork("dual"), inNetwork("bare"));
    await using _server = await serve(one.slot.pid, 80);
    for (const bridge of bridges) run("ip", "link", "delete", bridge);
    for (const bridge of bridges) await restored(lab, bridge);
    for (const address of [ipv4Of(one, "dual"), ipv4Of(one, "bare"), ipv6Of(one, "dual")]) {
      assert.match(askTcpFrom(two.slot.pid, address, 80), /^hello /, address);
    }
    assert.match(await askTcp(ipv6Of(one, "dual"), 80), /^hello fd/, "the host has its address in the network");
    for (const id of ["one", "two"]) await lab.networks.release(id);
    for (const name of ["dual", "bare"]) await lab.networks.remove(name);
    // Removals of our own are none that somebody has to mend.
    await sleep(1000);
    assert.equal(lab.events.filter(({ action }) => action === "bridge").length, 2);
    assert.ok(!hostState().links.some((link) => bridges.includes(link)));
  });

  test("bridge watch: a bridge of somebody else's is not made for them; once it is there again, the containers are in it", async () => {
    const make = (): void => {
      run("ip", "link", "add", "lan0", "type", "bridge");
      run("ip", "link", "set", "lan0", "up");
    };
    make();
    {
      await using lab = await openLab({ watches: true, warmSlots: 0 });
      await lab.network("lan", { options: { "com.docker.network.bridge.name": "lan0" } });
      const one = await lab.attach("one", [], inNetwork("lan"));
      const two = await lab.attach("two", [], inNetwork("lan"));
      await using _server = await serve(one.slot.pid, 80);
      run("ip", "link", "delete", "lan0");
      await sleep(1000);
      assert.ok(!hostState().links.includes("lan0"));
      make();
      await restored(lab, "lan0");
      assert.equal(askTcpFrom(two.slot.pid, ipv4Of(one), 80), `hello ${ipv4Of(two)}`);
    }
    run("ip", "link", "delete", "lan0");
  });

  test("bridge watch: containers that come while the bridge is away all find it again, with those that were there", async () => {
    await using lab = await openLab({ watches: true, warmSlots: 0 });
    const shop = bridgeNameOf(await lab.network("shop"));
    const web = await lab.attach("web", [], inNetwork("shop"));
    await using _server = await serve(web.slot.pid, 80);
    run("ip", "link", "delete", shop);
    const late = await Promise.all(["a", "b", "c"].map(async (id) => await lab.attach(id, [], inNetwork("shop"))));
    await restored(lab, shop);
    for (const one of late) assert.equal(askTcpFrom(one.slot.pid, ipv4Of(web), 80), `hello ${ipv4Of(one)}`);
  });
}
