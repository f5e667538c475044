import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { hostState, neverAborted, openLab, port, requestOf, ipv4Of, inNetwork } from "./testing/lab.ts";
import { askTcp, inNetns, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("openNetworks: has the three fixed networks and touches nothing on the host", async () => {
    const before = hostState();
    await using lab = await openLab();
    const shown = lab.networks.list().map(({ name, driver, ipam }) => ({
      name,
      driver,
      pools: ipam.pools,
    }));
    assert.deepEqual(shown, [
      { name: "bridge", driver: "bridge", pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {} }] },
      { name: "host", driver: "host", pools: [] },
      { name: "none", driver: "null", pools: [] },
    ]);
    const { id } = lab.networks.find("bridge");
    await lab.reopen();
    assert.equal(lab.networks.find("bridge").id, id);
    assert.equal(lab.networks.find(id.slice(0, 10)).name, "bridge");
    assert.throws(() => lab.networks.find("nowhere"), { kind: "notFound", message: "network nowhere not found" });
    assert.deepEqual(hostState(), before);
  });

  test("attach: none has only lo, host has the host's network, an unknown network is a fault", async () => {
    await using lab = await openLab();
    const none = await lab.networks.attach({ ...requestOf("a"), mode: "none" }, neverAborted);
    const host = await lab.networks.attach({ ...requestOf("b"), mode: "host" }, neverAborted);
    const unknown = lab.networks.attach(requestOf("c", [], [inNetwork("x")]), neverAborted);
    await assert.rejects(unknown, { kind: "notFound" });
    for (const { attached } of [none, host]) {
      assert.deepEqual(
        attached.endpoints.map(({ interface: name, ipv4, macAddress }) => ({ name, ipv4, macAddress })),
        [{ name: "", ipv4: undefined, macAddress: "" }],
      );
    }
    await assert.rejects(lab.networks.connect("b", inNetwork("bridge"), host.slot.pid), {
      kind: "forbidden",
      message:
        "container sharing network namespace with another container or host cannot be connected to any other network",
    });
    await assert.rejects(lab.networks.connect("a", inNetwork("bridge"), none.slot.pid), { kind: "forbidden" });
    const links = JSON.parse(inNetns(none.slot.pid, "ip", "-json", "link", "show", "up")) as { ifname: string }[];
    assert.deepEqual(
      links.map(({ ifname }) => ifname),
      ["lo"],
    );
    assert.equal(run("readlink", `/proc/${host.slot.pid}/ns/net`), run("readlink", "/proc/self/ns/net"));
    assert.deepEqual(
      lab.events.map(({ action, attributes }) => `${action} ${attributes["name"]} ${attributes["type"]}`),
      ["connect none null", "connect host host"],
    );
  });

  test("attach: turns IP forwarding on where it is off, and says so once", async () => {
    run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0");
    await using lab = await openLab();
    for (const id of ["a", "b"]) await lab.attach(id);
    assert.equal(run("sysctl", "-n", "net.ipv4.ip_forward"), "1\n");
    const messages = lab.events.filter(({ type }) => type === "daemon").map(({ attributes }) => attributes["message"]);
    assert.deepEqual(messages, [
      "net.ipv4.ip_forward was off; set to 1, as containers reach other networks through this host",
    ]);
  });

  test("attach: given up before it is kept, everything is undone; kept, only release undoes it", async () => {
    await using lab = await openLab();
    const given = await lab.attach("a", [port("tcp", 8080, 80)]);
    await given[Symbol.asyncDispose]();
    assert.equal(lab.networks.attachedOf("a"), undefined);
    assert.doesNotMatch(run("nft", "list", "ruleset"), /8080/);
    const kept = await lab.attach("b", [port("tcp", 8080, 80)]);
    kept.keep();
    await kept[Symbol.asyncDispose]();
    assert.deepEqual(lab.networks.attachedOf("b"), kept.attached);
    lab.networks.rename("b", "other");
    const [shown] = lab.networks.membersOf(kept.attached.endpoints[0]?.networkId ?? "");
    assert.equal(shown?.containerName, "other");
    await lab.networks.release("b");
    await lab.networks.release("b");
    assert.equal(lab.networks.attachedOf("b"), undefined);
    assert.doesNotMatch(run("nft", "list", "ruleset"), /8080/);
  });

  test("attach: a port that is taken is refused in Docker's words, and nothing is left of the attempt", async () => {
    await using lab = await openLab();
    await lab.attach("web", [port("tcp", 8080, 80), port("udp", 8080, 80)]);
    await assert.rejects(
      lab.attach("second", [port("tcp", 8081, 80), port("tcp", 8080, 80)]),
      /^Fault: driver failed programming external connectivity on endpoint name-of-second \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
    );
    const other = createServer().listen(8090, "127.0.0.1");
    await once(other, "listening");
    await assert.rejects(
      lab.attach("third", [port("tcp", 8090, 80)]),
      /: failed to bind host port for 0\.0\.0\.0:8090:172\.17\.0\.\d+:80\/tcp: address already in use$/,
    );
    await assert.rejects(
      lab.attach("fourth", [port("tcp", 8091, 80, "203.0.113.9")]),
      /cannot assign requested address$/,
    );
    await assert.rejects(lab.attach("fifth", [port("sctp", 8091, 80, "::")]), {
      kind: "invalid",
      message: /cannot publish on the IPv6 address ::: the container has no IPv6 address$/,
    });
    const other6 = createServer().listen({ host: "::", port: 8092, ipv6Only: true });
    await once(other6, "listening");
    await assert.rejects(
      lab.attach("fifth", [port("tcp", 8092, 80)]),
      /: failed to bind host port for \[::\]:8092:172\.17\.0\.\d+:80\/tcp: address already in use$/,
    );
    other6.close();
    await assert.rejects(lab.attach("fifth", [port("tcp", 8091, 80, "localhost")]), {
      kind: "invalid",
      message: /: invalid IP address: localhost$/,
    });
    const again = await lab.attach("sixth", [port("tcp", 8081, 80)]);
    const bound = { protocol: "tcp", containerPort: 80, hostPort: 8081 };
    assert.deepEqual(again.attached.ports, [
      { ...bound, hostIp: "0.0.0.0" },
      { ...bound, hostIp: "::" },
    ]);
    assert.deepEqual(
      lab.networks
        .membersOf(lab.networks.find("bridge").id)
        .map(({ containerId }) => containerId)
        .sort(),
      ["sixth", "web"],
    );
    // While it is published, no other program gets the port.
    const [refused] = (await once(createServer().listen(8081), "error")) as [NodeJS.ErrnoException];
    assert.equal(refused.code, "EADDRINUSE");
    other.close();
  });

  test("attach: a range takes its first free port, port 0 a free ephemeral one", async () => {
    await using lab = await openLab();
    const range = { protocol: "tcp", containerPort: 80, hostIp: "", hostPort: { first: 8000, last: 8001 } } as const;
    const ports = async (id: string, ...requests: Parameters<typeof lab.attach>[1][]): Promise<number[] | undefined> =>
      (await lab.attach(id, requests.flat() as never)).attached.ports
        .filter(({ hostIp }) => hostIp === "0.0.0.0")
        .map(({ hostPort }) => hostPort)
        .toSorted((one, other) => one - other);
    assert.deepEqual(await ports("a", [range]), [8000]);
    assert.deepEqual(await ports("b", [range]), [8001]);
    await assert.rejects(lab.attach("c", [range]), /Bind for 0\.0\.0\.0:8001 failed: port is already allocated/);
    const [low = 0] = run("sysctl", "-n", "net.ipv4.ip_local_port_range").split(/\s+/).map(Number);
    const inUse = createServer().listen(low, "127.0.0.1");
    await once(inUse, "listening");
    const inUse6 = createServer().listen({ host: "::", port: low + 1, ipv6Only: true });
    await once(inUse6, "listening");
    const udp = createSocket("udp4").bind(low + 2);
    await once(udp, "listening");
    // What a program has on one address of one family, no container gets on any.
    assert.deepEqual(await ports("d", [port("tcp", 0, 80), port("tcp", 0, 81)]), [low + 2, low + 3]);
    await lab.reopen();
    assert.deepEqual(await ports("e", [port("udp", 0, 80)]), [low]);
    assert.deepEqual(await ports("f", [port("udp", 0, 80), port("udp", 0, 81)]), [low + 1, low + 3]);
    for (const each of [inUse, inUse6, udp]) each.close();
  });

  test("attach: an exhausted pool says so, and serves again once a container has ended", async () => {
    await using lab = await openLab({ bridgeAddress: "10.99.0.1/30", warmSlots: 4 });
    const only = await lab.attach("a");
    assert.equal(ipv4Of(only), "10.99.0.2");
    const { id } = lab.networks.find("bridge");
    const expected = `no available IPv4 addresses on this network's address pools: bridge (${id})`;
    await assert.rejects(lab.attach("b"), { kind: "exhausted", message: expected });
    await only.slot[Symbol.asyncDispose]();
    await lab.networks.release("a");
    assert.equal(ipv4Of(await lab.attach("c")), "10.99.0.2");
  });

  test("attach: a burst is served from few programs, each address once", async () => {
    await using lab = await openLab({ warmSlots: 4 });
    const ids = Array.from({ length: 24 }, (_, index) => `c${index}`);
    const attachments = await Promise.all(ids.map(async (id) => await lab.attach(id)));
    assert.equal(new Set(attachments.map((one) => ipv4Of(one))).size, 24);
    const onHost = lab.shim.programs.filter((program) => program === "links").length;
    assert.ok(onHost <= 1 + 24 / 4, `${onHost} changes of links`);
    await Promise.all(ids.map(async (id) => await lab.networks.release(id)));
  });

  test("attach: a caller that goes away while waiting gets an error, the slot goes to the next", async () => {
    await using lab = await openLab();
    const gone = new AbortController();
    const waiting = lab.networks.attach(requestOf("a"), gone.signal);
    gone.abort();
    await assert.rejects(waiting, { name: "AbortError" });
    assert.equal(ipv4Of(await lab.attach("b")), "172.17.0.2");
  });

  test("release: a link that somebody keeps alive is removed, and its address is free only then", async () => {
    await using lab = await openLab({ bridgeAddress: "10.99.0.1/30" });
    const { slot } = await lab.attach("a");
    await using _squatter = await serve(slot.pid, 80);
    await slot[Symbol.asyncDispose]();
    await lab.networks.release("a");
    assert.equal(ipv4Of(await lab.attach("b")), "10.99.0.2");
  });

  test("attach: repairs a flushed ruleset and a removed bridge when it meets them", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    const web = await lab.attach("web");
    run("nft", "flush", "ruleset");
    const again = await lab.attach("again", [port("tcp", 8080, 80)]);
    await using _server = await serve(again.slot.pid, 80);
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    run("ip", "link", "delete", "slw-0a1b2c");
    assert.ok(ipv4Of(await lab.attach("third")));
    assert.ok(ipv4Of(web));
  });

  test("close: leaves bridge and ruleset to containers that run on", async () => {
    await using lab = await openLab();
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    await using _server = await serve(web.slot.pid, 80);
    web.keep();
    await lab.networks.close();
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    await lab.reopen();
    await lab.networks.reconcile(new Map([["web", process.pid]]));
  });

  test("openNetworks: refuses a --bip that is none, and leaves a bridge alone that it has not made", async () => {
    await assert.rejects(openLab({ bridgeAddress: "10.9.0.0/24" }), (error) => isFault(error, "invalid"));
    run("ip", "link", "add", "mine0", "type", "bridge");
    {
      await using lab = await openLab({ bridgeName: "mine0" });
      await lab.attach("a");
      await lab.networks.release("a");
    }
    assert.ok(hostState().links.includes("mine0"));
    run("ip", "link", "delete", "mine0");
  });
}
