import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "#fixtures/collectors";
import { startDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";
import { insideOwnNetns } from "../../src/networks/testing/own-netns.ts";

// The host's resolv.conf is changed: in a mount namespace, where /etc is a copy.
if (insideOwnNetns(import.meta.url)) {
  test("--network host: a running container's resolv.conf follows the host's, however that is written, also over a restart of the daemon", async () => {
    const copy = await mkdtemp(join(tmpdir(), "slipway-etc-"));
    try {
      await mustRun("cp", ["-a", "/etc/.", copy]);
      await mustRun("mount", ["--bind", copy, "/etc"]);
      await writeFile("/etc/resolv.conf", "nameserver 192.0.2.1\nsearch first.example\n");
      await using daemon = await startDaemon({ busybox: true });
      const run = ["run", "-d", "--init", "--network", "host"];
      await said(daemon, ...run, "--name", "plain", "busybox", "sleep", "600");
      await said(daemon, ...run, "--name", "own", "--dns", "192.0.2.77", "busybox", "sleep", "600");
      const shows = async (text: string): Promise<void> => {
        const now = async (): Promise<string> => await said(daemon, "exec", "plain", "cat", "/etc/resolv.conf");
        await until(async () => (await now()) === text, now);
      };
      await shows("nameserver 192.0.2.1\nsearch first.example");
      await writeFile("/etc/resolv.conf", "# by hand\nnameserver 192.0.2.2 ; ours\n;nameserver 192.0.2.9\n");
      await shows("nameserver 192.0.2.2");
      assert.equal(await said(daemon, "exec", "own", "cat", "/etc/resolv.conf"), "nameserver 192.0.2.77");
      await writeFile("/etc/resolv.conf.new", "nameserver 127.0.0.53\noptions edns0\n");
      await rename("/etc/resolv.conf.new", "/etc/resolv.conf");
      // As the host's network is the container's, so is its loopback.
      await shows("nameserver 127.0.0.53\noptions edns0");
      await said(daemon, "exec", "own", "sh", "-c", "echo nameserver 192.0.2.78 > /etc/resolv.conf");
      await daemon.stop();
      await writeFile("/etc/resolv.conf", "nameserver 192.0.2.3\n");
      await daemon.start();
      await shows("nameserver 192.0.2.3");
      assert.equal(
        await said(daemon, "exec", "own", "cat", "/etc/resolv.conf"),
        "nameserver 192.0.2.78",
        "what it wrote itself stays",
      );
    } finally {
      await mustRun("umount", ["--lazy", "/etc"]);
      await rm(copy, { recursive: true, force: true });
    }
  });
}
