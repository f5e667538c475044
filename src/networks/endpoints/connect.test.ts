import assert from "node:assert/strict";
import { test } from "node:test";
import { asFault, Fault } from "#core/fault";
import { hostState, inNetwork, ipv4Of, openLab, pools, port } from "../testing/lab.ts";
import { addressesIn, askTcp, askUdp, inNetns, routesIn, run, serve } from "../testing/machines.ts";
import { insideOwnNetns } from "../testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("connect: a running container gets an interface, an address and routes by priority; disconnect takes them back", async () => {
    await using lab = await openLab();
    const { id } = await lab.network("shop", { ipv6: true, ipam: pools("10.80.0.0/24", "fd80::/64") });
    const web = await lab.attach("web");
    web.keep();
    const { pid } = web.slot;
    const request = inNetwork("shop", { ipv4: "10.80.0.7", gatewayPriority: 1, aliases: ["www"] });
    const endpoint = await lab.networks.connect("web", request, pid);
    assert.deepEqual(
      [endpoint.interface, endpoint.ipv4?.address, endpoint.ipv6?.address],
      ["eth1", "10.80.0.7", "fd80::2"],
    );
    assert.deepEqual(lab.networks.attachedOf("web")?.endpoints.at(-1), endpoint);
    assert.ok(addressesIn(pid, "eth1").includes("10.80.0.7/24"));
    assert.deepEqual(routesIn(pid), ["10.80.0.1 eth1", "fd80::1 eth1"]);
    await lab.networks.disconnect("web", id, pid);
    assert.deepEqual(routesIn(pid), ["172.17.0.1 eth0"]);
    assert.doesNotMatch(inNetns(pid, "ip", "link", "show"), /eth1/);
    assert.equal(lab.networks.attachedOf("web")?.endpoints.length, 1);
    // Twice is as once; and at once it may have the address again.
    await lab.networks.disconnect("web", id, pid);
    assert.equal((await lab.networks.connect("web", request, pid)).ipv4?.address, "10.80.0.7");
    assert.deepEqual(
      lab.events.filter(({ type, actorId }) => type === "network" && actorId === id).map(({ action }) => action),
      ["create", "connect", "disconnect", "connect"],
    );
  });

  test("connect: a network that the default route does not go by is joined and left by one change of links each", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    const { id } = await lab.network("shop");
    const { slot } = await lab.attach("web");
    const programsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
      const before = lab.shim.programs.length;
      await work();
      return lab.shim.programs.slice(before);
    };
    const connected = await programsOf(async () => await lab.networks.connect("web", inNetwork("shop"), slot.pid));
    const left = await programsOf(async () => await lab.networks.disconnect("web", id, slot.pid));
    assert.deepEqual([connected, left], [["links"], ["links"]]);
    assert.deepEqual(routesIn(slot.pid), ["172.17.0.1 eth0"]);
  });

  test("connect: from all networks and back into one", async () => {
    await using lab = await openLab();
    await lab.network("shop");
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    const { pid } = web.slot;
    await using _server = await serve(pid, 80);
    await lab.networks.disconnect("web", lab.networks.find("bridge").id, pid);
    assert.deepEqual([routesIn(pid), lab.networks.attachedOf("web")?.endpoints], [[], []]);
    assert.equal(await askTcp("127.0.0.1", 8080), "");
    const { ipv4 } = await lab.networks.connect("web", inNetwork("shop"), pid);
    assert.deepEqual(routesIn(pid), [`${ipv4?.gateway} eth0`]);
    assert.equal(await askTcp("127.0.0.1", 8080), `hello ${ipv4?.gateway}`);
  });

  test("connect: published ports follow the default route, also for UDP clients that keep sending", async () => {
    await using lab = await openLab();
    const { id } = await lab.network("alpha");
    const web = await lab.attach("web", [port("tcp", 8080, 80), port("udp", 8080, 80)], inNetwork("bridge"));
    const { pid } = web.slot;
    await using _server = await serve(pid, 80);
    for (const ask of [askTcp, askUdp]) assert.equal(await ask("127.0.0.1", 8080), "hello 172.17.0.1");
    const { ipv4 } = await lab.networks.connect("web", inNetwork("alpha"), pid);
    for (const ask of [askTcp, askUdp]) assert.equal(await ask("127.0.0.1", 8080), `hello ${ipv4?.gateway}`);
    await lab.networks.disconnect("web", id, pid);
    for (const ask of [askTcp, askUdp]) assert.equal(await ask("127.0.0.1", 8080), "hello 172.17.0.1");
  });

  test("connect: twice, without an attachment, or with an address that is taken, is refused and changes nothing", async () => {
    await using lab = await openLab();
    await lab.network("shop", { ipam: pools("10.80.0.0/24") });
    const web = await lab.attach("web", [], inNetwork("shop"));
    const other = await lab.attach("other");
    await assert.rejects(lab.networks.connect("web", inNetwork("shop"), web.slot.pid), {
      kind: "forbidden",
      message: "endpoint with name name-of-web already exists in network shop",
    });
    const request = inNetwork("shop", { ipv4: ipv4Of(web) });
    await assert.rejects(lab.networks.connect("other", request, other.slot.pid), { message: "Address already in use" });
    await assert.rejects(lab.networks.connect("nobody", request, other.slot.pid), { kind: "conflict" });
    await assert.rejects(lab.networks.connect("other", inNetwork("none"), other.slot.pid), { kind: "forbidden" });
    assert.deepEqual(lab.networks.attachedOf("other"), other.attached);
    assert.deepEqual(routesIn(other.slot.pid), ["172.17.0.1 eth0"]);
  });

  test("connect: whichever program fails, the container is as it was, and the next try works", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    await lab.network("alpha", { ipam: pools("10.80.0.0/29") });
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    const { pid } = web.slot;
    await using _server = await serve(pid, 80);
    const before = { state: hostState(), rules: run("nft", "-s", "list", "ruleset") };
    const attempt = async (): Promise<boolean> => {
      const connected = await lab.networks
        .connect("web", inNetwork("alpha"), pid)
        .catch((error: unknown) => asFault(error));
      lab.shim.trouble = () => undefined;
      if (connected instanceof Fault) {
        assert.match(connected.message, /trouble/);
        assert.deepEqual({ state: hostState(), rules: run("nft", "-s", "list", "ruleset") }, before);
        assert.deepEqual(lab.networks.attachedOf("web"), web.attached);
      } else {
        await lab.networks.disconnect("web", lab.networks.find("alpha").id, pid);
      }
      assert.deepEqual(routesIn(pid), ["172.17.0.1 eth0"]);
      assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
      return connected instanceof Fault;
    };
    // Programs that keep failing.
    for (const broken of [/^nft -f/, /^links/]) {
      lab.shim.trouble = (program) => (broken.test(program) ? "fails" : undefined);
      assert.ok(await attempt(), String(broken));
    }
    // Each one once: most are tried again.
    for (let step = 1, more = true; more; step += 1) {
      const last = lab.shim.programs.length + step;
      lab.shim.trouble = () => {
        more = lab.shim.programs.length >= last;
        return lab.shim.programs.length === last ? "fails" : undefined;
      };
      more = false;
      await attempt();
    }
    assert.equal(await attempt(), false);
  });
}
