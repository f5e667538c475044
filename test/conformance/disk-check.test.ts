import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { makeTestImage } from "#fixtures/images";
import { startRegistry } from "#fixtures/registry";

test("system check: damaged blobs, lost layers and strays are found, told and mended; what was pulled comes again", async () => {
  await using registry = await startRegistry();
  await using daemon = await startDaemon({ busybox: true });
  const folder = await mkdtemp(join(tmpdir(), "slipway-check-"));
  await using _folder = { [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }) };
  const archive = join(folder, "app.tar");
  await makeTestImage(archive, { files: { "etc/mark": "here" }, names: ["docker.io/library/x:1"], form: "oci-gzip" });
  await registry.push(archive, "team/app:1");
  const name = `${registry.address}/team/app:1`;
  await said(daemon, "pull", name);
  const { dataRoot } = daemon.roots;
  const check = async (...args: string[]) => await daemon.slipway("system", "check", ...args);
  assert.deepEqual(await check(), { code: 0, stdout: "All is sound.\n", stderr: "" });

  const manifest = JSON.parse(await said(daemon, "image", "inspect", "-f", "{{json .RepoDigests}}", name));
  const hex = String(manifest[0]).split("sha256:")[1] ?? "";
  const blobs = join(dataRoot, "content/blobs/sha256");
  const { layers } = JSON.parse(await readFile(join(blobs, hex), "utf8"));
  const layer = String(layers.at(-1).digest).slice(7);
  const bytes = await readFile(join(blobs, layer));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await chmod(join(blobs, layer), 0o600);
  await writeFile(join(blobs, layer), bytes);
  const found = await check();
  assert.equal(found.code, 1);
  assert.match(
    found.stdout,
    new RegExp(`^✗ blob sha256:${layer} is damaged: .* \\(of ${name}\\)\n  --repair sets it aside`),
  );
  assert.match(found.stdout, /\n1 finding: 1 to be mended with --repair\.\n$/);
  const mended = await check("--repair");
  assert.match(
    mended.stdout,
    /✓ repaired: blob .*\n.*\n✗ blob .* is missing .*\n.*pull.*\n2 findings: 1 repaired, 1 to be seen to\.\n$/,
  );
  assert.deepEqual(await readdir(join(dataRoot, "content/damaged")), [layer]);
  assert.equal(await said(daemon, "run", "--rm", name, "cat", "/etc/mark"), "here");
  await refused(daemon, "not found", "save", "-o", join(folder, "broken.tar"), name);
  await said(daemon, "pull", name);
  assert.deepEqual(await check(), { code: 0, stdout: "All is sound.\n", stderr: "" });
  await said(daemon, "save", "-o", join(folder, "saved.tar"), name);

  // Somebody has been at a layer's files.
  const own = JSON.parse(
    await said(daemon, "inspect", "-f", "{{json .GraphDriver.Data.LowerDir}}", await said(daemon, "create", name)),
  );
  const mark = join(String(own).split(":")[0] ?? "", "etc/mark");
  await writeFile(mark, "here no more");
  const changed = await check("--repair");
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /^✗ layer sha256:.* has changed on the disk: .*\/etc\/mark is not as it was unpacked\n/);
  await writeFile(mark, "here");

  // A layer's folder is lost, and there are folders and blobs of nobody.
  const driver = JSON.parse(
    await said(daemon, "inspect", "-f", "{{json .GraphDriver.Data.LowerDir}}", await said(daemon, "create", name)),
  );
  await rename(String(driver).split(":")[0] ?? "", join(folder, "lost"));
  await mkdir(join(dataRoot, "layers/0123456789ab/deep"), { recursive: true });
  const stray = join(dataRoot, "containers", "ab".repeat(32));
  await mkdir(stray);
  await utimes(stray, 1, 1);
  await writeFile(join(blobs, "12".repeat(32)), "stray");
  const strays = await check();
  for (const words of [
    /layer sha256:.* is lost/,
    /folder .*0123456789ab belongs to no layer/,
    /belongs to no container/,
  ])
    assert.match(strays.stdout, words);
  assert.match(strays.stdout, /blob sha256:1212.* is damaged: [^(]*$/m);
  assert.equal((await check("--repair")).code, 0);
  assert.deepEqual(await check(), { code: 0, stdout: "All is sound.\n", stderr: "" });
  assert.equal(await said(daemon, "run", "--rm", name, "cat", "/etc/mark"), "here");
});
