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

  test("networks: without icc neighbours do not reach each other, but what they publish", async () => {
    filterBridges("0");
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
    assert.equal(askTcpFrom(client.slot.pid, "10.84.0.1", 8080), "hello 10.84.0.1");
    assert.equal(askTcpFrom(web.slot.pid, "10.84.0.1", 8080), "hello 10.84.0.1");
  });

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

  test("networks: gateway mode routed lets other machines in without a port; the usual one does not", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const mode = "com.docker.network.bridge.gateway_mode_ipv";
    const options = { [`${mode}4`]: "routed", [`${mode}6`]: "routed" };
    await lab.network("open", { options, ipv6: true, ipam: pools("10.87.0.0/24", "fd87::/64") });
    await lab.network("shut", { ipv6: true, ipam: pools("10.88.0.0/24", "fd88::/64") });
    wayBack(neighbour.pid, "10.87.0.0/24", "fd87::/64");
    wayBack(neighbour.pid, "10.88.0.0/24", "fd88::/64");
    for (const [name, expected] of [
      ["open", [/^hello 198\.51\.100\.2$/, /^hello 2001:db8::2$/]],
      ["shut", [refused, refused]],
    ] as const) {
      const web = await lab.attach(name, [], inNetwork(name));
      await using _server = await serve(web.slot.pid, 80);
      assert.match(askTcpFrom(neighbour.pid, ipv4Of(web), 80), expected[0]);
      assert.match(askTcpFrom(neighbour.pid, ipv6Of(web), 80), expected[1]);
    }
    await using _outside = await serve(neighbour.pid, 9000);
    const [{ pid }] = [(await lab.attach("client", [], inNetwork("open"))).slot];
    assert.match(askTcpFrom(pid, "198.51.100.2", 9000), /^hello 10\.87\.0\./);
  });
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
