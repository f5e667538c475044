import assert from "node:assert/strict";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { debianArchive } from "#fixtures/images";

test("docker run debian: apt-get update works inside, through the default bridge", { timeout: 300_000 }, async () => {
  const archive = await debianArchive();
  await using daemon = await startDaemon();
  assert.equal((await daemon.docker("load", "-q", "-i", archive)).stdout, "Loaded image: debian:12\n");
  const proxies = Object.keys(process.env).filter((name) => /^(https?|no)_proxy$/i.test(name));
  const passed = proxies.flatMap((name) => ["-e", name]);
  const script = "apt-get update && apt-get install -y --no-install-recommends hello && hello";
  const { code, stdout, stderr } = await daemon.dockerWith(
    { timeoutMs: 120_000 },
    ...["run", "--rm", ...passed, "debian:12", "sh", "-c", script],
  );
  assert.equal(code, 0, stderr + stdout);
  assert.match(stdout, /Hello, world!/);
});
