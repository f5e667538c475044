import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attachment } from "./networks.ts";
import { inNetwork, ipv4Of, ipv6Of, openLab, pools, port } from "./testing/lab.ts";
import { askTcpFrom, askUdpFrom, inNetns, openNeighbour, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

const refused = /^(ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)$/;

if (insideOwnNetns(import.meta.url)) {
  for (const filtered of ["1", "0"]) {
    test(`networks: containers of one reach each other, those of another do not (bridge-nf-call-iptables=${filtered})`, async () => {
      filterBridges(filtered);
      await using lab = await openLab();
      await lab.network("one", { ipv6: true, ipam: pools("10.81.0.0/24", "fd81::/64") });
      await lab.network("two", { ipv6: true, ipam: pools("10.82.0.0/24", "fd82::/64") });
      const [web, near, far, plain] = [
        await lab.attach("web", [port("tcp", 8080, 80)], inNetwork("one")),
        await lab.attach("near", [], inNetwork("one")),
        await lab.attach("far", [], inNetwork("two")),
        await lab.attach("plain"),
      ];
      await using _server = await serve(web.slot.pid, 80);
      for (const [address, client] of [
        [ipv4Of(web), ipv4Of(near)],
        [ipv6Of(web), ipv6Of(near)],
      ] as const) {
        assert.equal(askTcpFrom(near.slot.pid, address, 80), `hello ${client}`);
        assert.equal(askUdpFrom(near.slot.pid, address, 80), `hello ${client}`);
      }
      mustNotReach(far, web);
      mustNotReach(plain, web);
      // Nor when it tells its packets another way: by the other network's gateway, as if that were its neighbour.
      for (const [family, subnet, gateway] of [
        ["-4", "10.81.0.0/24", "10.81.0.1"],
        ["-6", "fd81::/64", "fd81::1"],
      ] as const) {
        inNetns(far.slot.pid, "ip", family, "route", "add", gateway, "dev", "eth0");
        inNetns(far.slot.pid, "ip", family, "route", "add", subnet, "via", gateway, "dev", "eth0");
      }
      mustNotReach(far, web);
      // What is published is reached by the host's address, from everywhere.
      for (const [client, gateway] of [
        [near, "10.81.0.1"],
        [far, "10.82.0.1"],
        [plain, "172.17.0.1"],
        [web, "10.81.0.1"],
      ] as const) {
        assert.match(askTcpFrom(client.slot.pid, gateway, 8080), /^hello 10\.81\.0\.1$/);
      }
    });

    test(`networks: an internal one reaches nothing outside, and of the host its gateway alone (bridge-nf-call-iptables=${filtered})`, async () => {
      filterBridges(filtered);
      await using neighbour = await openNeighbour();
      await using lab = await openLab();
      await lab.network("in", { internal: true, ipv6: true, ipam: pools("10.83.0.0/24", "fd83::/64") });
      const web = await lab.attach("web", [port("tcp", 8081, 80)]);
      const [one, two] = [await lab.attach("one", [], inNetwork("in")), await lab.attach("two", [], inNetwork("in"))];
      await using _web = await serve(web.slot.pid, 80);
      await using _two = await serve(two.slot.pid, 80);
      await using _host = await serve(process.pid, 7000);
      await using _outside = await serve(neighbour.pid, 9000);
      assert.equal(askTcpFrom(one.slot.pid, ipv4Of(two), 80), `hello ${ipv4Of(one)}`);
      assert.equal(askTcpFrom(one.slot.pid, ipv6Of(two), 80), `hello ${ipv6Of(one)}`);
      assert.equal(askTcpFrom(one.slot.pid, "10.83.0.1", 7000), `hello ${ipv4Of(one)}`);
      assert.equal(askTcpFrom(one.slot.pid, "fd83::1", 7000), `hello ${ipv6Of(one)}`);
      // Also with a default route that it sets itself.
      for (const round of ["without a route", "with one"]) {
        for (const [address, number] of [
          ["198.51.100.2", 9000],
          ["198.51.100.1", 7000],
          ["198.51.100.1", 8081],
          ["172.17.0.1", 7000],
          ["172.17.0.1", 8081],
          [ipv4Of(web), 80],
          ["2001:db8::1", 7000],
          ["2001:db8::2", 9000],
        ] as const) {
          assert.match(askTcpFrom(one.slot.pid, address, number), refused, `${address}:${number} ${round}`);
        }
        if (round !== "without a route") break;
        inNetns(one.slot.pid, "ip", "route", "add", "default", "via", "10.83.0.1");
        inNetns(one.slot.pid, "ip", "route", "add", "default", "via", "fd83::1");
      }
      inNetns(neighbour.pid, "ip", "route", "add", "10.83.0.0/24", "via", "198.51.100.1");
      assert.match(askTcpFrom(neighbour.pid, ipv4Of(two), 80), refused);
    });
  }

  for (const filtered of ["1", "0"]) {
    test(`networks: without icc neighbours do not reach each other, but what they publish (bridge-nf-call-iptables=${filtered})`, async () => {
      filterBridges(filtered);
      await using lab = await openLab();
      const options = { "com.docker.network.bridge.enable_icc": "false" };
      await lab.network("apart", { options, ipv6: true, ipam: pools("10.84.0.0/24", "fd84::/64") });
      const web = await lab.attach("web", [port("tcp", 8080, 80)], inNetwork("apart"));
      const client = await lab.attach("client", [], inNetwork("apart"));
      await using _server = await serve(web.slot.pid, 80);
      mustNotReach(client, web);
      // Nor past the bridge's ports, by the gateway.
      inNetns(client.slot.pid, "ip", "route", "replace", `${ipv4Of(web)}/32`, "via", "10.84.0.1");
      assert.match(askTcpFrom(client.slot.pid, ipv4Of(web), 80), refused);
      // With br_netfilter the kernel passes what is published on from port to port of the bridge, which are apart.
      const published = filtered === "0" ? /^hello 10\.84\.0\.1$/ : refused;
      for (const { slot } of [client, web]) assert.match(askTcpFrom(slot.pid, "10.84.0.1", 8080), published);
    });
  }

  test("networks: with and without masquerading", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const bare = { options: { "com.docker.network.bridge.enable_ip_masquerade": "false" } };
    await lab.network("hidden", { ipv6: true, ipam: pools("10.85.0.0/24", "fd85::/64") });
    await lab.network("seen", { ...bare, ipv6: true, ipam: pools("10.86.0.0/24", "fd86::/64") });
    const hidden = await lab.attach("hidden", [], inNetwork("hidden"));
    const seen = await lab.attach("seen", [], inNetwork("seen"));
    await using _outside = await serve(neighbour.pid, 9000);
    wayBack(neighbour.pid, "10.86.0.0/24", "fd86::/64");
    assert.equal(askTcpFrom(hidden.slot.pid, "198.51.100.2", 9000), "hello 198.51.100.1");
    assert.equal(askTcpFrom(hidden.slot.pid, "2001:db8::2", 9000), "hello 2001:db8::1");
    assert.equal(askTcpFrom(seen.slot.pid, "198.51.100.2", 9000), `hello ${ipv4Of(seen)}`);
    assert.equal(askTcpFrom(seen.slot.pid, "2001:db8::2", 9000), `hello ${ipv6Of(seen)}`);
  });

  test("networks: gateway mode routed lets other machines in by published ports, nat-unprotected by every port, nat by none", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const refusing = [refused, refused] as const;
    const seen = [/^hello 198\.51\.100\.2$/, /^hello 2001:db8::2$/] as const;
    for (const [mode, id, published, others] of [
      ["routed", 87, seen, refusing],
      ["nat-unprotected", 88, seen, seen],
      ["nat", 89, refusing, refusing],
    ] as const) {
      const prefix = "com.docker.network.bridge.gateway_mode_ipv";
      const options = { [`${prefix}4`]: mode, [`${prefix}6`]: mode };
      await lab.network(mode, { options, ipv6: true, ipam: pools(`10.${id}.0.0/24`, `fd${id}::/64`) });
      wayBack(neighbour.pid, `10.${id}.0.0/24`, `fd${id}::/64`);
      const web = await lab.attach(mode, [port("tcp", 8000 + id, 80), port("udp", 8000 + id, 80)], inNetwork(mode));
      await using _published = await serve(web.slot.pid, 80);
      await using _other = await serve(web.slot.pid, 81);
      for (const [index, address] of [ipv4Of(web), ipv6Of(web)].entries()) {
        const routed = mode === "routed" ? 0 : 8000 + id;
        assert.equal(web.attached.ports[index]?.hostPort, routed);
        assert.match(askTcpFrom(neighbour.pid, address, 80), published[index] ?? refused, `${mode} ${address}`);
        assert.match(askTcpFrom(neighbour.pid, address, 81), others[index] ?? refused, `${mode} ${address}`);
        assert.equal(pings(neighbour.pid, address), mode !== "nat", `${mode} ping ${address}`);
        // By the host's address where there is a port of the host's.
        const host = address.includes(":") ? "2001:db8::1" : "198.51.100.1";
        const byHost = mode === "routed" ? refused : (seen[index] ?? refused);
        assert.match(askTcpFrom(neighbour.pid, host, 8000 + id), byHost, `${mode} ${host}`);
      }
      await using _outside = await serve(neighbour.pid, 9000);
      const source = mode === "routed" ? ipv4Of(web) : "198.51.100.1";
      assert.equal(askTcpFrom(web.slot.pid, "198.51.100.2", 9000), `hello ${source}`);
    }
  });

  test("networks: what is shown as published is what is reached", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.network("dual", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    await lab.network("four", { ipam: pools("10.91.0.0/24") });
    await lab.network("inside", { internal: true, ipam: pools("10.92.0.0/24") });
    const bound = { "com.docker.network.bridge.host_binding_ipv4": "198.51.100.1" };
    await lab.network("bound", { options: bound, ipam: pools("10.93.0.0/24") });
    const cases = [
      ["dual", "", ["0.0.0.0", "::"]],
      ["four", "", ["0.0.0.0", "::"]],
      ["bound", "", ["198.51.100.1"]],
      ["dual", "127.0.0.1", ["127.0.0.1"]],
      ["inside", "", []],
    ] as const;
    for (const [index, [network, hostIp, shown]] of cases.entries()) {
      const web = await lab.attach(`web${index}`, [port("tcp", 8100 + index, 80, hostIp)], inNetwork(network));
      await using _server = await serve(web.slot.pid, 80);
      assert.deepEqual(
        web.attached.ports.map((one) => one.hostIp),
        shown,
      );
      const open = shown.filter((address) => address !== "127.0.0.1");
      const outside = new Set(open.map((address) => (address.includes(":") ? 6 : 4)));
      for (const [family, address] of [
        [4, "198.51.100.1"],
        [6, "2001:db8::1"],
      ] as const) {
        // What its monitor relays is proved where there is one (relayed.test.ts).
        if (family === 6 && network === "four") continue;
        const expected = outside.has(family) ? /^hello (198\.51\.100\.2|2001:db8::2)$/ : refused;
        assert.match(askTcpFrom(neighbour.pid, address, 8100 + index), expected, `${network} ${hostIp} ${address}`);
      }
    }
    // Taken out of its networks it publishes nothing, and says so.
    const web = await lab.attach("moving", [port("tcp", 8200, 80)], inNetwork("four"), inNetwork("inside"));
    assert.equal(lab.networks.attachedOf("moving")?.ports.length, 2);
    await lab.networks.disconnect("moving", lab.networks.find("four").id, web.slot.pid);
    assert.deepEqual(lab.networks.attachedOf("moving")?.ports, []);
  });
}

/** Whether another machine's echo request is answered. */
function pings(pid: number, address: string): boolean {
  const script = [
    "import socket, sys, struct",
    "six = ':' in sys.argv[1]",
    "s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)",
    "s.settimeout(1)",
    "s.sendto(struct.pack('!BBHHH', 128 if six else 8, 0, 0 if six else 0xf7fe, 0, 1), (sys.argv[1], 0))",
    "try: s.recv(100)",
    "except TimeoutError: sys.exit(1)",
  ].join("\n");
  inNetns(pid, "sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0");
  try {
    inNetns(pid, "python3", "-c", script, address);
    return true;
  } catch {
    return false;
  }
}

function mustNotReach(client: Attachment, server: Attachment): void {
  const addresses = server.attached.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  for (const address of addresses.flatMap((each) => each?.address ?? [])) {
    assert.match(askTcpFrom(client.slot.pid, address, 80), refused, address);
    assert.match(askUdpFrom(client.slot.pid, address, 80), /^(ETIMEDOUT|Error.*)?$/, address);
  }
}

/** The other machine's routes to a network of ours. */
function wayBack(pid: number, ipv4: string, ipv6: string): void {
  inNetns(pid, "ip", "route", "add", ipv4, "via", "198.51.100.1");
  inNetns(pid, "ip", "route", "add", ipv6, "via", "2001:db8::1");
}

/** Whether the machine's rules see what its bridges pass on; machines without br_netfilter have no such setting. */
function filterBridges(value: string): void {
  const keys = ["iptables", "ip6tables"].map((name) => `net.bridge.bridge-nf-call-${name}=${value}`);
  run("sysctl", "-e", "-q", "-w", ...keys);
}
