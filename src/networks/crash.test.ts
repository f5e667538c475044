import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, test } from "node:test";
import { assertSameSoon, hostState, inNetwork, ipv4Of, ipv6Of, openLab, port } from "./testing/lab.ts";
import {
  askTcp,
  askTcpFrom,
  askUdp,
  inNetns,
  openNamespace,
  openNeighbour,
  routesIn,
  run,
  serve,
} from "./testing/machines.ts";
import { macvlan, withStandIns } from "./testing/outer.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), "slipway-networks-"));
  after(() => rmSync(folder, { recursive: true }));

  test("reconcile: after kill -9 what runs is whole again and nothing else is left", async () => {
    const before = hostState();
    const databasePath = join(folder, "one.db");
    const doomed = await startDoomed(databasePath);
    await using _server = await serve(doomed.webPid, 80);
    await doomed.kill();
    // The ports go on without the daemon.
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    // Somebody flushes the ruleset and removes the bridge, and makes links that are none of ours.
    run("nft", "flush", "ruleset");
    run("ip", "link", "delete", "slw-0a1b2c");
    run("ip", "link", "add", "slw0a1b2-not", "type", "veth", "peer", "name", "slw0a1b2-peer");
    await using lab = await openLab({ databasePath, before });
    await lab.networks.reconcile(new Map([["web", process.pid]]));
    assert.equal(lab.networks.attachedOf("web")?.endpoints[0]?.ipv4?.address, "172.17.0.2");
    assert.equal(lab.networks.attachedOf("ended"), undefined);
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    assert.equal(await askUdp("127.0.0.1", 8080), "hello 172.17.0.1");
    assert.equal(await askTcp("127.0.0.1", 8081), "ECONNREFUSED");
    await assert.rejects(lab.attach("thief", [port("tcp", 8080, 80)]), /port is already allocated/);
    const next = await lab.attach("next");
    assert.notEqual(ipv4Of(next), "172.17.0.2");
    assert.match(askTcpFrom(next.slot.pid, "172.17.0.2", 80), /^hello/);
    assert.ok(hostState().links.includes("slw0a1b2-not"));
    run("ip", "link", "delete", "slw0a1b2-not");
  });

  test("reconcile: when nothing runs after kill -9, the host is as if we had never been there", async () => {
    const before = hostState();
    const databasePath = join(folder, "two.db");
    const doomed = await startDoomed(databasePath);
    await doomed.kill();
    await using lab = await openLab({ databasePath, before });
    await lab.networks.reconcile(new Map());
    await assertSameSoon(before);
  });

  for (const task of ["create", "attach"]) {
    test(`reconcile: after kill -9 before any program of ${task}, nothing is over and nothing missing`, async () => {
      const before = hostState();
      let died = 0;
      for (let step = 1, dead = true; dead; step += 1) {
        const databasePath = join(folder, `${task}-${step}.db`);
        const doomed = await startDoomed(databasePath, task, step);
        dead = doomed.dead;
        if (dead) died += 1;
        await doomed.kill();
        await using lab = await openLab({ databasePath, before });
        await lab.networks.reconcile(new Map());
        const shop = lab.networks.list().find(({ name }) => name === "shop");
        const bridges = hostState().links.filter((name) => name.startsWith("br-"));
        assert.deepEqual(bridges, shop === undefined ? [] : [`br-${shop.id.slice(0, 12)}`], `step ${step}`);
        assert.equal(lab.networks.attachedOf("web"), undefined);
        if (shop === undefined) await lab.network("shop", { ipv6: true });
        const web = await lab.attach("web", [port("tcp", 8080, 80)], inNetwork("shop"), inNetwork("bridge"));
        await using _server = await serve(web.slot.pid, 80);
        assert.match(await askTcp("127.0.0.1", 8080), /^hello 172\.17\.0\.1$/, `step ${step}`);
        await lab.networks.release("web");
        await lab.networks.remove("shop");
      }
      assert.ok(died >= 5, `${died}`);
    });
  }

  test("reconcile: user networks come back whole, with those that run in them", async () => {
    const before = hostState();
    const databasePath = join(folder, "three.db");
    const doomed = await startDoomed(databasePath, "attach");
    await using _server = await serve(doomed.webPid, 80);
    await doomed.kill();
    run("nft", "flush", "ruleset");
    for (const name of hostState().links.filter((link) => /^(br-|slw-)/.test(link))) run("ip", "link", "delete", name);
    await using lab = await openLab({ databasePath, before });
    await lab.networks.reconcile(new Map([["web", process.pid]]));
    const attached = lab.networks.attachedOf("web");
    assert.deepEqual(
      attached?.endpoints.map(({ networkName }) => networkName),
      ["shop", "bridge"],
    );
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    const client = await lab.attach("client", [], inNetwork("shop"));
    const [shop] = attached?.endpoints ?? [];
    assert.equal(askTcpFrom(client.slot.pid, shop?.ipv4?.address ?? "", 80), `hello ${ipv4Of(client)}`);
    assert.equal(askTcpFrom(client.slot.pid, shop?.ipv6?.address ?? "", 80), `hello ${ipv6Of(client)}`);
    await assert.rejects(lab.networks.remove("shop"), { kind: "forbidden" });
  });

  for (const task of ["createLan", "attachLan"]) {
    test(`reconcile: after kill -9 before any program of ${task}, a macvlan network's parent is there when it is needed, and gone when not`, async () => {
      await using _neighbour = await openNeighbour();
      const before = hostState();
      let died = 0;
      for (let step = 1, dead = true; dead; step += 1) {
        const databasePath = join(folder, `${task}-${step}.db`);
        const doomed = await startDoomed(databasePath, task, step);
        dead = doomed.dead;
        if (dead) died += 1;
        await doomed.kill();
        await using lab = await openLab({ databasePath, before });
        lab.shim.rewrite = withStandIns;
        await lab.networks.reconcile(new Map());
        const isThere = lab.networks.list().some(({ name }) => name === "lan");
        if (!isThere) assert.ok(!hostState().links.includes("up0.50"), `step ${step}`);
        if (!isThere) await lab.networks.create(macvlan("lan", { parent: "up0.50" }));
        const web = await lab.attach("web", [], inNetwork("lan"));
        assert.equal(ipv4Of(web), "198.51.100.64", `step ${step}`);
        await web.slot[Symbol.asyncDispose]();
        await lab.networks.release("web");
        await lab.networks.remove("lan");
        assert.ok(!hostState().links.includes("up0.50"), `step ${step}`);
      }
      assert.ok(died >= 4, `${died}`);
    });
  }

  for (const task of ["connectLan", "disconnectLan"]) {
    test(`reconcile: after kill -9 before any program of ${task}, a running container has the interfaces of its networks and no others`, async () => {
      await using _neighbour = await openNeighbour();
      const before = hostState();
      let died = 0;
      for (let step = 1, dead = true; dead; step += 1) {
        await using container = await openNamespace();
        const { pid } = container;
        const databasePath = join(folder, `${task}-${step}.db`);
        const doomed = await startDoomed(databasePath, task, step, pid);
        dead = doomed.dead;
        if (dead) died += 1;
        await doomed.kill();
        await using lab = await openLab({ databasePath, before });
        await lab.networks.reconcile(new Map([["web", pid]]));
        const isIn = lab.networks.attachedOf("web")?.endpoints.some(({ networkName }) => networkName === "lan");
        assert.equal(/eth1/.test(inNetns(pid, "ip", "link")), isIn, `step ${step}`);
        if (isIn === false) await lab.networks.connect("web", inNetwork("lan", { ipv4: "198.51.100.64" }), pid);
        assert.deepEqual(routesIn(pid), ["198.51.100.2 eth1"]);
        await lab.networks.release("web");
        for (const name of ["lan", "inner"]) await lab.networks.remove(name);
      }
      assert.ok(died >= 1, `${died}`);
    });
  }

  test("reconcile: containers of a macvlan network go on without the daemon, and with the next one", async () => {
    await using neighbour = await openNeighbour();
    const before = hostState();
    const databasePath = join(folder, "lan.db");
    const doomed = await startDoomed(databasePath, "attachLan");
    await using _server = await serve(doomed.webPid, 80);
    await doomed.kill();
    assert.match(askTcpFrom(neighbour.pid, "198.51.100.64", 80), /^hello/);
    await using lab = await openLab({ databasePath, before });
    await lab.networks.reconcile(new Map([["web", process.pid]]));
    assert.match(askTcpFrom(neighbour.pid, "198.51.100.64", 80), /^hello/);
    assert.equal(ipv4Of(await lab.attach("next", [], inNetwork("lan"))), "198.51.100.65");
  });
}

interface Doomed {
  readonly webPid: number;
  /** Whether it died by its own hand. */
  readonly dead: boolean;
  kill(): Promise<void>;
}

async function startDoomed(databasePath: string, task = "attachTwo", dieBefore = 0, holder = 0): Promise<Doomed> {
  const script = fileURLToPath(import.meta.resolve("./testing/doomed.ts"));
  const child = spawn(process.execPath, [script, databasePath, task, String(dieBefore), String(holder)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const line = await Promise.race([once(child.stdout, "data"), exited]);
  const dead = child.signalCode !== null;
  assert.equal(child.exitCode, null);
  const [webPid = 0] = dead ? [] : (JSON.parse(String(line[0])) as number[]);
  return {
    webPid,
    dead,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
