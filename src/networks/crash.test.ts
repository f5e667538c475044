import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, test } from "node:test";
import { assertSameSoon, hostState, openLab, port, ipv4Of } from "./testing/lab.ts";
import { askTcp, askTcpFrom, askUdp, run, serve } from "./testing/machines.ts";
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
    await lab.networks.reconcile(new Set(["web"]));
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
    await lab.networks.reconcile(new Set());
    await assertSameSoon(before);
  });
}

async function startDoomed(databasePath: string): Promise<{ readonly webPid: number; kill(): Promise<void> }> {
  const script = fileURLToPath(import.meta.resolve("./testing/doomed.ts"));
  const child = spawn(process.execPath, [script, databasePath], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const [webPid = 0] = JSON.parse(line.toString()) as number[];
  return {
    webPid,
    kill: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
