import assert from "node:assert/strict";
import { test } from "node:test";
import { asFault, Fault } from "#core/fault";
import { assertSameSoon, hostState, inNetwork, ipv4Of, networkOf, openLab, port } from "../testing/lab.ts";
import { askTcpFrom, inNetns, openNeighbour, routesIn, run, serve } from "../testing/machines.ts";
import { kernelMakes, macvlan, next, subnets, withStandIns } from "../testing/outer.ts";
import { insideOwnNetns } from "../testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("parents: one that we made goes with its last network, and with the daemon when nobody is in them", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    lab.shim.rewrite = withStandIns;
    const before = hostState();
    await lab.networks.create(macvlan("one", { parent: "up0.50" }));
    await lab.networks.create(macvlan("two", { parent: "up0.50" }, { ipam: subnets(next) }));
    assert.equal(aliasOf("up0.50"), "network parent of slipway-0a1b2c");
    await lab.networks.remove("one");
    assert.ok(hostState().links.includes("up0.50"));
    await lab.reopen();
    assert.deepEqual(hostState().links, before.links);
    // The next need makes it again.
    const held = await lab.attach("held", [], inNetwork("two"));
    assert.ok(hostState().links.includes("up0.50"));
    held.keep();
    await lab.reopen();
    await lab.networks.reconcile(new Map([["held", process.pid]]));
    assert.ok(hostState().links.includes("up0.50"));
    await held.slot[Symbol.asyncDispose]();
    await lab.networks.reconcile(new Map());
    assert.equal(lab.networks.attachedOf("held"), undefined);
    await lab.networks.remove("two");
    assert.deepEqual(hostState(), before);
  });

  test("parents: without one a link that leads nowhere is made, and the network is closed", async () => {
    await using lab = await openLab();
    lab.shim.rewrite = withStandIns;
    const before = hostState();
    const { id } = await lab.networks.create(networkOf("inner", { driver: "macvlan", ipam: subnets(next) }));
    assert.ok(hostState().links.includes(`dm-${id.slice(0, 12)}`));
    const { slot, attached } = await lab.attach("one", [port("tcp", 8080, 80)], inNetwork("inner"));
    assert.deepEqual([attached.ports, routesIn(slot.pid)], [[], []]);
    await slot[Symbol.asyncDispose]();
    await lab.networks.release("one");
    await lab.networks.remove("inner");
    assert.deepEqual(hostState(), before);
  });

  test("parents: somebody else's is never removed, whatever it is called", async () => {
    await using lab = await openLab();
    run("ip", "link", "add", "up0.50", "type", "bridge");
    run("ip", "link", "set", "up0.50", "alias", "network parent of slipway-ffffff");
    await lab.networks.create(macvlan("one", { parent: "up0.50" }));
    await lab.networks.remove("one");
    await lab.networks.create(macvlan("one", { parent: "up0.50" }));
    await lab.reopen();
    await lab.networks.reconcile(new Map());
    await lab.networks.remove("one");
    assert.ok(hostState().links.includes("up0.50"));
    run("ip", "link", "delete", "up0.50");
  });

  test("parents: a missing, wrong or busy one is told, with what to do", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    for (const [options, message] of [
      [{ parent: "eth9" }, "the requested parent interface eth9 was not found on the Docker host"],
      [{ parent: "eth9.50" }, "the requested parent interface eth9 was not found on the Docker host"],
      [{ parent: "up0.4095" }, "the requested parent interface up0.4095 was not found on the Docker host"],
      [{ parent: "lo" }, "loopback interface is not a valid macvlan parent link"],
      [{ parent: "up0; reboot" }, 'invalid parent interface "up0; reboot"'],
      [
        { macvlan_mode: "loud" },
        "requested macvlan mode 'loud' is not valid, 'bridge' mode is the macvlan driver default",
      ],
    ] as const) {
      await assert.rejects(lab.networks.create(macvlan("x", options)), { kind: "invalid", message });
    }
    run("ip", "tuntap", "add", "tun7", "mode", "tun");
    await lab.networks.create(macvlan("tunnel", { parent: "tun7" }));
    await assert.rejects(lab.attach("a", [], inNetwork("tunnel")), { kind: "invalid", remedy: /is tun7 one\?$/ });
    await lab.networks.remove("tunnel");
    run("ip", "link", "delete", "tun7");
    run("ip", "link", "add", "br7", "type", "bridge");
    run("ip", "link", "set", "up0", "master", "br7");
    await lab.networks.create(macvlan("lan"));
    await assert.rejects(lab.attach("a", [], inNetwork("lan")), {
      kind: "conflict",
      message: "failed to create the macvlan port: device or resource busy",
      remedy: /^The interface up0 is a port of a bridge/,
    });
    run("ip", "link", "delete", "br7");
    assert.ok(await lab.attach("a", [], inNetwork("lan")));
    const { warnings } = await lab.networks.create(macvlan("more", { mtu: "9000" }, { ipam: subnets(next) }));
    assert.deepEqual(warnings, ["The option mtu is not known to the driver macvlan, and does nothing."]);
    assert.deepEqual(
      lab.networks.list().map(({ name }) => name),
      ["bridge", "host", "lan", "more", "none"],
    );
  });

  test("parents: what another program's link has is waited for, then told", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    run("ip", "link", "add", "card0", "type", "veth", "peer", "name", "card1");
    await lab.networks.create(macvlan("lan"));
    await lab.networks.create(macvlan("alone", { parent: "card0", macvlan_mode: "passthru" }, { ipam: subnets(next) }));
    run(
      "ip",
      "link",
      "add",
      "link",
      "up0",
      "name",
      "mine0",
      "address",
      "02:00:5e:00:53:09",
      "type",
      "macvlan",
      "mode",
      "bridge",
    );
    run("ip", "link", "add", "link", "card0", "name", "mine1", "type", "macvlan", "mode", "bridge");
    run("ip", "link", "set", "mine0", "up");
    await Promise.all([
      assert.rejects(lab.attach("a", [], inNetwork("lan", { macAddress: "02:00:5e:00:53:09" })), {
        kind: "conflict",
        message: "failed to create the macvlan port: address already in use",
        remedy: /up0 or another link on it has the same MAC address/,
      }),
      assert.rejects(lab.attach("b", [], inNetwork("alone")), {
        kind: "conflict",
        message: "failed to create the macvlan port: device or resource busy",
        remedy: /one container alone has the interface card0/,
      }),
    ]);
    for (const name of ["mine0", "mine1", "card0"]) run("ip", "link", "delete", name);
    for (const name of ["lan", "alone"]) await lab.networks.remove(name);
  });

  test("parents: one that vanishes takes its links along; its network is removed all the same", async () => {
    await using lab = await openLab();
    run("ip", "link", "add", "card0", "type", "veth", "peer", "name", "card1");
    for (const name of ["card0", "card1"]) run("ip", "link", "set", name, "up");
    await lab.networks.create(macvlan("lan", { parent: "card0" }));
    const one = await lab.attach("one", [], inNetwork("lan"));
    one.keep();
    run("ip", "link", "delete", "card0");
    await lab.networks.reconcile(new Map([["one", process.pid]]));
    await assert.rejects(lab.attach("two", [], inNetwork("lan")), /parent interface card0 was not found/);
    await lab.networks.disconnect("one", lab.networks.find("lan").id, one.slot.pid);
    await one.slot[Symbol.asyncDispose]();
    await lab.networks.release("one");
    await lab.networks.remove("lan");
  });

  test("parents: whichever program fails, nothing is left, and the next try works", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab({ warmSlots: 0 });
    lab.shim.rewrite = withStandIns;
    const before = hostState();
    let failures = 0;
    const failAt = async (step: number, work: () => Promise<unknown>): Promise<boolean> => {
      const last = lab.shim.programs.length + step;
      let more = false;
      lab.shim.trouble = () => {
        more ||= lab.shim.programs.length >= last;
        return lab.shim.programs.length === last ? "fails" : undefined;
      };
      const end = await work().catch((error: unknown) => asFault(error));
      lab.shim.trouble = () => undefined;
      if (end instanceof Fault) failures += 1;
      return more;
    };
    for (let step = 1, more = true; more; step += 1) {
      more = await failAt(step, async () => await lab.networks.create(macvlan("made", { parent: "up0.50" })));
      const isThere = lab.networks.list().some(({ name }) => name === "made");
      assert.equal(hostState().links.includes("up0.50"), isThere, `step ${step}`);
      if (isThere) await lab.networks.remove("made");
      assert.deepEqual(hostState(), before);
    }
    await lab.networks.create(macvlan("lan"));
    for (let step = 1, more = true; more; step += 1) {
      more = await failAt(step, async () => {
        const made = await lab.attach("a", [], inNetwork("lan", { ipv4: "198.51.100.80" }), inNetwork("bridge"));
        await made[Symbol.asyncDispose]();
      });
      assert.equal(lab.networks.attachedOf("a"), undefined);
    }
    const running = await lab.attach("a", [], inNetwork("bridge"));
    for (let step = 1, more = true; more; step += 1) {
      more = await failAt(step, async () => {
        await lab.networks.connect("a", inNetwork("lan", { ipv4: "198.51.100.80" }), running.slot.pid);
        await lab.networks.disconnect("a", lab.networks.find("lan").id, running.slot.pid);
      });
      assert.deepEqual(routesIn(running.slot.pid), ["172.17.0.1 eth0"], `step ${step}`);
    }
    assert.ok(failures >= 10, `${failures}`);
    await running[Symbol.asyncDispose]();
    await lab.networks.remove("lan");
    await lab.reopen();
    await assertSameSoon(before);
  });

  test("VLAN: traffic bears the tag; where the kernel has no VLANs that is said", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const creation = lab.networks.create(macvlan("lan", { parent: "up0.50" }));
    if (!kernelMakes("vlan")) {
      await assert.rejects(creation, {
        kind: "unsupported",
        message: "failed to create the vlan link: this kernel has no links of type vlan",
        remedy: /modprobe 8021q/,
      });
      return;
    }
    await creation;
    inNetns(neighbour.pid, "ip", "link", "add", "link", "out0", "name", "out0.50", "type", "vlan", "id", "50");
    inNetns(neighbour.pid, "ip", "address", "flush", "dev", "out0");
    inNetns(neighbour.pid, "ip", "address", "add", "198.51.100.2/24", "dev", "out0.50");
    inNetns(neighbour.pid, "ip", "link", "set", "out0.50", "up");
    await using _outside = await serve(neighbour.pid, 7000);
    const one = await lab.attach("one", [], inNetwork("lan"));
    assert.equal(askTcpFrom(one.slot.pid, "198.51.100.2", 7000), `hello ${ipv4Of(one)}`);
  });

  test("no parent: where the kernel has no dummy links that is said", async () => {
    await using lab = await openLab();
    const creation = lab.networks.create(networkOf("inner", { driver: "macvlan", ipam: subnets(next) }));
    if (kernelMakes("dummy")) {
      assert.ok(hostState().links.includes(`dm-${(await creation).id.slice(0, 12)}`));
      await lab.networks.remove("inner");
    } else {
      await assert.rejects(creation, {
        kind: "unsupported",
        message: "failed to create the dummy link: this kernel has no links of type dummy",
        remedy: /-o parent=eth0, or use a bridge network with --internal/,
      });
    }
    assert.equal(lab.networks.list().length, 3);
  });

  test("ipvlan: one MAC address for all, with a gateway (l2) or without (l3); where the kernel has none that is said", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const request = (mode: string): Parameters<typeof lab.networks.create>[0] =>
      macvlan(mode, { ipvlan_mode: mode }, { driver: "ipvlan" });
    if (!kernelMakes("ipvlan")) {
      await assert.rejects(lab.networks.create(request("l2")), {
        kind: "unsupported",
        message: "failed to create the ipvlan link: this kernel has no links of type ipvlan",
        remedy: /modprobe ipvlan.*macvlan/,
      });
      assert.equal(lab.networks.list().length, 3);
      return;
    }
    await using _outside = await serve(neighbour.pid, 7000);
    for (const mode of ["l2", "l3"]) {
      await lab.networks.create(request(mode));
      const one = await lab.attach("one", [], inNetwork(mode));
      assert.deepEqual(one.attached.endpoints[0]?.macAddress, "");
      assert.equal(askTcpFrom(one.slot.pid, "198.51.100.2", 7000), `hello ${ipv4Of(one)}`);
      await assert.rejects(lab.attach("two", [], inNetwork(mode, { macAddress: "02:00:5e:00:53:01" })), /custom mac/);
      await one.slot[Symbol.asyncDispose]();
      await lab.networks.release("one");
      await lab.networks.remove(mode);
    }
  });
}

function aliasOf(link: string): string | undefined {
  const [row] = JSON.parse(run("ip", "-json", "link", "show", "dev", link)) as { ifalias?: string }[];
  return row?.ifalias;
}
