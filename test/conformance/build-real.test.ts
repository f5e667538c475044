import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { writeFiles } from "#fixtures/files";
import { debianArchive } from "#fixtures/images";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  const archive = await debianArchive();
  daemon = await startDaemon();
  folder = await mkdtemp(join(tmpdir(), "slipway-build-real-"));
  await said(daemon, "load", "-q", "-i", archive);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The machine's proxies, as who builds behind one passes them: they are no part of the image. */
const proxies = Object.keys(process.env).flatMap((name) =>
  /^(https?|no)_proxy$/i.test(name) ? ["--build-arg", name] : [],
);

async function build(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const context = join(folder, name);
  await writeFiles(context, files);
  const options = { timeoutMs: 200_000, env: { DOCKER_CONFIG: folder } };
  const { code, stderr } = await daemon.slipwayWith(options, "build", ...proxies, "-t", name, context);
  assert.equal(code, 0, stderr);
  return stderr;
}

const install = [
  "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked",
  "rm -f /etc/apt/apt.conf.d/docker-clean && apt-get update && apt-get install -y --no-install-recommends",
].join(" ");

test(
  "build: packages of Debian with cache mounts, which the image has nothing of; the second list comes from them",
  { timeout: 300_000 },
  async () => {
    await build("packages", { Dockerfile: `FROM debian:12\n${install} hello\nRUN hello > /said\n` });
    const inside = async (image: string, script: string): Promise<string> =>
      await said(daemon, "run", "--rm", "--network", "none", image, "sh", "-c", script);
    assert.equal(await inside("packages", "cat /said; env | grep -i _proxy || true"), "Hello, world!");
    const files = "find /var/cache/apt /var/lib/apt | sort";
    assert.equal(await inside("packages", files), await inside("debian:12", files), "as in the base");
    const again = await build("packages", { Dockerfile: `FROM debian:12\nENV CHANGED=1\n${install} hello\n` });
    assert.match(again, / 0 B\/[\d.]+ kB of archives/, "what was downloaded is there again");
  },
);

test("build: a static program, made in one stage and alone in the next", { timeout: 300_000 }, async () => {
  await build("static", {
    Dockerfile: [
      "FROM debian:12 AS tools",
      `${install} busybox-static`,
      "RUN mkdir -p /root-of-image/bin && cp /bin/busybox /root-of-image/bin/ && ln -s busybox /root-of-image/bin/sh",
      "FROM scratch",
      "COPY --from=tools /root-of-image /",
      'COPY --chmod=755 <<"script" /start',
      "#!/bin/sh",
      'echo "$0 runs in $(busybox ls / | busybox wc -w) names"',
      "script",
      "USER 1000",
      'ENTRYPOINT ["/start"]',
    ].join("\n"),
  });
  assert.match(await said(daemon, "run", "--rm", "static"), /^\/start runs in \d names$/);
  assert.ok(Number(await said(daemon, "image", "inspect", "-f", "{{.Size}}", "static")) < 4_000_000);
});
