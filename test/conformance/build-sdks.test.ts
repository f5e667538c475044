import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { folderOf } from "#fixtures/files";
import { runProgram } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-build-sdks-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function contextOf(files: Readonly<Record<string, string>>): Promise<string> {
  return await folderOf(folder, files);
}

test("docker-py: builds from a path, a Dockerfile, its own archive; arguments, targets, limits, failures", async () => {
  const script = join(import.meta.dirname, "docker_py_build.py");
  const { code, stdout, stderr } = await runProgram("/usr/bin/python3", ["-W", "ignore", script, "-v"], {
    env: { DOCKER_HOST: `unix://${daemon.socket}` },
    timeoutMs: 120_000,
  });
  assert.equal(code, 0, stderr);
  const count = [...(await readFile(script, "utf8")).matchAll(/^ {4}def test_/gm)].length;
  assert.match(stderr, new RegExp(`Ran ${count} tests[^]*\\nOK\\n$`), stdout);
});

interface Line {
  readonly stream?: string;
  readonly error?: string;
  readonly aux?: { readonly ID: string };
}

/** Follows a build to its end, as dockerode's users do. */
async function followed(docker: Docker, stream: NodeJS.ReadableStream): Promise<Line[]> {
  return await new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error, lines) => (error === null ? resolve(lines as Line[]) : reject(error)));
  });
}

test("dockerode: buildImage of files by name, followed to the end, failures too", async () => {
  const docker = new Docker({ socketPath: daemon.socket });
  const context = await contextOf({
    "deep/Dockerfile": "FROM busybox\nARG WORD\nCOPY a sub /got/\nRUN echo $WORD > /word\n",
    a: "of a",
    "sub/b": "of b",
  });
  const stream = await docker.buildImage(
    { context, src: ["deep/Dockerfile", "a", "sub"] },
    { t: "rode/app:1", dockerfile: "deep/Dockerfile", buildargs: { WORD: "given" }, labels: { of: "rode" }, rm: true },
  );
  const lines = await followed(docker, stream);
  assert.ok(lines.some((line) => line.stream === "Successfully tagged rode/app:1\n"));
  const id = lines.find(({ aux }) => aux !== undefined)?.aux?.ID;
  const seen = await docker.getImage("rode/app:1").inspect();
  assert.deepEqual([seen.Id, seen.Config.Labels], [id, { of: "rode" }]);
  const shown = await said(daemon, "run", "--rm", "rode/app:1", "cat", "/word", "/got/a", "/got/b");
  assert.equal(shown, "given\nof aof b");
  const broken = await contextOf({ Dockerfile: "FROM busybox\nRUN exit 3\n" });
  const failing = await docker.buildImage({ context: broken, src: ["Dockerfile"] });
  // The library hands a failure over as the last line.
  assert.match((await followed(docker, failing)).at(-1)?.error ?? "", /returned a non-zero code: 3/);
  const nonsense = await contextOf({ Dockerfile: "RUM\n" });
  await assert.rejects(docker.buildImage({ context: nonsense, src: ["Dockerfile"] }), { statusCode: 400 });
});

test("testcontainers: GenericContainer.fromDockerfile builds, with arguments and a target, and starts what it built", async () => {
  process.env["DOCKER_HOST"] = `unix://${daemon.socket}`;
  process.env["DOCKER_CONFIG"] = `${daemon.roots.dataRoot}.docker`;
  process.env["TMPDIR"] = daemon.roots.dataRoot;
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  const { GenericContainer, Wait } = await import("testcontainers");
  const context = await contextOf({
    "App.dockerfile": [
      "FROM busybox AS app",
      "ARG WORD=none",
      "COPY page /w/index.html",
      "RUN echo $WORD >> /w/index.html",
      "EXPOSE 80",
      'CMD ["sh", "-c", "echo serving; exec httpd -f -p 80 -h /w"]',
      "FROM app",
      "RUN exit 1",
    ].join("\n"),
    page: "page ",
    "ignored/x": "x",
    ".dockerignore": "ignored\n",
  });
  const image = await GenericContainer.fromDockerfile(context, "App.dockerfile")
    .withBuildArgs({ WORD: "given" })
    .withTarget("app")
    .withCache(true)
    .build("tests/app:1", { deleteOnExit: false });
  const container = await image.withExposedPorts(80).withWaitStrategy(Wait.forListeningPorts()).start();
  const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`);
  assert.equal(await answer.text(), "page given\n");
  await container.stop({ timeout: 0 });
  const broken = GenericContainer.fromDockerfile(await contextOf({ Dockerfile: "FROM busybox\nRUN exit 5\n" }));
  await assert.rejects(broken.build("tests/broken:1", { deleteOnExit: false }));
});

test("docker-compose 1: build with arguments, a target, another file and labels; up builds what is not there", async () => {
  const project = await contextOf({
    "docker-compose.yml": [
      'version: "3.7"',
      "services:",
      "  app:",
      "    build: {context: app, dockerfile: Other, target: first, args: {WORD: given}, labels: {of: compose}}",
      "    image: compose/app:1",
      "    command: cat /word",
      "  side:",
      "    build: side",
      "    command: cat /word",
    ].join("\n"),
    "app/Other": "FROM busybox AS first\nARG WORD\nRUN echo $WORD > /word\nFROM first\nRUN exit 1\n",
    "side/Dockerfile": "FROM busybox\nCOPY word /word\n",
    "side/word": "of side\n",
  });
  const compose = async (...args: readonly string[]): Promise<string> => {
    const env = { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: folder, COMPOSE_DOCKER_CLI_BUILD: "0" };
    const { code, stdout, stderr } = await runProgram("docker-compose", ["-p", "builds", ...args], {
      cwd: project,
      env,
    });
    assert.equal(code, 0, `docker-compose ${args.join(" ")}: ${stderr}`);
    return stdout + stderr;
  };
  const built = await compose("build", "--force-rm", "--no-cache", "app");
  assert.match(built, /Successfully tagged compose\/app:1/);
  assert.equal(await said(daemon, "image", "inspect", "-f", "{{.Config.Labels.of}}", "compose/app:1"), "compose");
  const shown = await compose("up", "--no-color");
  assert.match(shown, /app_1 +\| given\n/);
  assert.match(shown, /side_1 +\| of side\n/);
  await compose("build", "--parallel");
  await compose("down", "--rmi", "all");
});
