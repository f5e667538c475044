import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "#fixtures/collectors";
import { startDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

test("--network host: a running container's resolv.conf follows the host's, however that is written, also while no daemon ran", async () => {
  // The daemon's /etc is a copy.
  const etc = await mkdtemp(join(tmpdir(), "slipway-etc-"));
  try {
    await mustRun("cp", ["-a", "/etc/.", etc]);
    const write = async (text: string): Promise<void> => await writeFile(join(etc, "resolv.conf"), text);
    await write("nameserver 192.0.2.1\nsearch first.example\n");
    const mounting = 'mount --bind "$0" /etc && exec "$@"';
    await using daemon = await startDaemon({
      busybox: true,
      under: ["unshare", "--mount", "sh", "-c", mounting, etc],
    });
    const run = ["run", "-d", "--init", "--network", "host"];
    await said(daemon, ...run, "--name", "plain", "busybox", "sleep", "600");
    await said(daemon, ...run, "--name", "own", "--dns", "192.0.2.77", "busybox", "sleep", "600");
    const fileOf = async (name: string): Promise<string> => await said(daemon, "exec", name, "cat", "/etc/resolv.conf");
    const shows = async (text: string): Promise<void> => {
      await until(
        async () => (await fileOf("plain")) === text,
        async () => await fileOf("plain"),
      );
    };
    await shows("nameserver 192.0.2.1\nsearch first.example");
    await write("# by hand\nnameserver 192.0.2.2 ; ours\n;nameserver 192.0.2.9\n");
    await shows("nameserver 192.0.2.2");
    assert.equal(await fileOf("own"), "nameserver 192.0.2.77");
    await writeFile(join(etc, "resolv.conf.new"), "nameserver 127.0.0.53\noptions edns0\n");
    await rename(join(etc, "resolv.conf.new"), join(etc, "resolv.conf"));
    // As the host's network is the container's, so is its loopback.
    await shows("nameserver 127.0.0.53\noptions edns0");
    await said(daemon, "exec", "own", "sh", "-c", "echo nameserver 192.0.2.78 > /etc/resolv.conf");
    await daemon.stop();
    await write("nameserver 192.0.2.3\n");
    await daemon.start();
    await shows("nameserver 192.0.2.3");
    assert.equal(await fileOf("own"), "nameserver 192.0.2.78", "what it wrote itself stays");
  } finally {
    await rm(etc, { recursive: true, force: true });
  }
});
