import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { tarHeader } from "#core/tar";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
let docker: Docker;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  docker = new Docker({ socketPath: daemon.socket });
});
after(async () => await daemon[Symbol.asyncDispose]());

/** Both streams of a multiplexed connection, as dockerode takes them apart. */
async function demultiplexed(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  docker.modem.demuxStream(stream, stdout, stderr);
  const texts = Promise.all([text(stdout), text(stderr)]);
  await once(stream, "end");
  stdout.end();
  stderr.end();
  const [out, err] = await texts;
  return { stdout: out, stderr: err };
}

async function running(command: readonly string[]): Promise<Docker.Container> {
  const container = await docker.createContainer({ Image: "busybox", Cmd: [...command] });
  await container.start();
  return container;
}

test("dockerode run: output and exit code", async () => {
  const output = new PassThrough();
  const printed = text(output);
  const [result, container] = await docker.run("busybox", ["sh", "-c", "echo hi; exit 3"], output, { Tty: true });
  output.end();
  assert.equal(result.StatusCode, 3);
  assert.equal(await printed, "hi\r\n");
  await container.remove();
});

test("dockerode attach: with hijack, input reaches the container, its end too", async () => {
  const container = await docker.createContainer({
    Image: "busybox",
    Cmd: ["sh", "-c", "cat; echo bye >&2"],
    OpenStdin: true,
    StdinOnce: true,
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const output = demultiplexed(stream);
  await container.start();
  stream.end("some input\n");
  assert.deepEqual(await output, { stdout: "some input\n", stderr: "bye\n" });
  assert.equal((await container.wait()).StatusCode, 0);
  await container.remove();
});

test("dockerode exec: with and without hijack, and inspect right after the stream's end knows the code", async () => {
  const container = await running(["sleep", "60"]);
  for (const hijack of [true, false]) {
    const exec = await container.exec({
      Cmd: ["sh", "-c", "echo out; echo err >&2; exit 4"],
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack });
    assert.deepEqual(await demultiplexed(stream), { stdout: "out\n", stderr: "err\n" });
    const { ExitCode, Running } = await exec.inspect();
    assert.deepEqual({ ExitCode, Running }, { ExitCode: 4, Running: false });
  }
  const exec = await container.exec({ Cmd: ["cat"], AttachStdin: true, AttachStdout: true });
  const stream = await exec.start({ stdin: true, hijack: true });
  const output = demultiplexed(stream);
  stream.end("through\n");
  assert.equal((await output).stdout, "through\n");
  await container.remove({ force: true });
});

test("dockerode logs: followed to the end", async () => {
  const container = await running(["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"]);
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  assert.equal((await demultiplexed(stream)).stdout, "1\n2\n3\n");
  await container.remove();
});

test("dockerode listContainers, inspect, top, rename, events, version, info: typed answers", async () => {
  const since = Math.floor(Date.now() / 1000);
  const container = await docker.createContainer({
    Image: "busybox",
    Cmd: ["sleep", "60"],
    name: "typed",
    Labels: { a: "b" },
  });
  await container.start();
  const listed = await docker.listContainers({ filters: { label: ["a=b"] } });
  assert.deepEqual(
    listed.map(({ Names, State }) => ({ Names, State })),
    [{ Names: ["/typed"], State: "running" }],
  );
  assert.equal((await container.inspect()).Config.Labels["a"], "b");
  assert.match(JSON.stringify((await container.top()).Processes), /sleep 60/);
  await container.rename({ name: "typed-again" });
  await container.remove({ force: true });
  const events = await text(
    await docker.getEvents({ since, until: Math.ceil(Date.now() / 1000) + 1, filters: { container: [container.id] } }),
  );
  const actions = events
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { Action: string }).Action);
  assert.deepEqual(actions, ["create", "start", "top", "rename", "kill", "die", "destroy"]);
  assert.equal((await docker.version()).ApiVersion, "1.51");
  assert.equal(((await docker.info()) as { OSType: string }).OSType, "linux");
});

test("dockerode createContainer with limits, update: the kernel has them, the answer tells of them", async () => {
  const container = await docker.createContainer({
    Image: "busybox",
    Cmd: ["sleep", "600"],
    HostConfig: { Memory: 64 << 20, NanoCpus: 500_000_000, Ulimits: [{ Name: "nofile", Soft: 100, Hard: 200 }] },
  });
  await container.start();
  assert.deepEqual(await container.update({ Memory: 96 << 20, PidsLimit: 40 }), { Warnings: [] });
  const { HostConfig } = await container.inspect();
  assert.deepEqual(
    [HostConfig.Memory, HostConfig.MemorySwap, HostConfig.NanoCpus, HostConfig.PidsLimit],
    [96 << 20, 128 << 20, 500_000_000, 40],
  );
  await assert.rejects(
    container.update({ CpuQuota: 10_000 }),
    /409.*CPU Quota cannot be updated as NanoCPUs has already/,
  );
  await container.remove({ force: true });
});

test("dockerode createContainer with rights and namespaces: inside is what was asked for", async () => {
  const HostConfig = {
    UsernsMode: "auto:size=3000",
    IpcMode: "none",
    CapDrop: ["ALL"],
    CapAdd: ["CHOWN"],
    ReadonlyRootfs: true,
    SecurityOpt: ["no-new-privileges", "seccomp=unconfined"],
  };
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["sleep", "600"], HostConfig });
  await container.start();
  const { HostConfig: shown } = await container.inspect();
  assert.deepEqual({ ...shown, ...HostConfig }, shown);
  const facts =
    "tr -s ' ' < /proc/self/uid_map; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; ls -d /dev/shm";
  const exec = await container.exec({ Cmd: ["sh", "-c", facts], AttachStdout: true, AttachStderr: true });
  const said = await text(await exec.start({}));
  for (const fact of [/ 0 \d+ 3000\n/, /CapEff:\t0{15}1\n/, /NoNewPrivs:\t1\n/, /Seccomp:\t0\n/, /No such file/])
    assert.match(said, fact);
  await container.remove({ force: true });
});

test("dockerode putArchive, getArchive, export, commit", async () => {
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["cat", "/tmp/note"] });
  const header = tarHeader({ type: "file", path: "note", sizeBytes: 4 });
  const archive = Buffer.concat([encodeTarHeader(header), Buffer.from("node"), tarPadding(4), tarEnd]);
  await container.putArchive(archive, { path: "/tmp" });
  const got = await text(await container.getArchive({ path: "/tmp/note" }));
  assert.match(got, /^[^]*note\0[^]*ustar[^]*node/);
  await assert.rejects(container.getArchive({ path: "/none" }), { statusCode: 404 });
  assert.match(await text(await container.export()), /tmp\/note\0/);
  const { Id } = (await container.commit({ repo: "noded", tag: "1", changes: "ENV NODE=1" })) as { Id: string };
  const { Config } = await docker.getImage("noded:1").inspect();
  assert.ok(Config.Env.includes("NODE=1"));
  assert.match(Id, /^sha256:/);
  await container.remove();
});

test("dockerode: failures carry Docker's status and words", async () => {
  await assert.rejects(docker.getContainer("nobody").inspect(), {
    statusCode: 404,
    message: /No such container: nobody/,
  });
  await assert.rejects(docker.createContainer({ Image: "nothing:here" }), {
    statusCode: 404,
    message: /No such image: nothing:here/,
  });
  const container = await running(["sleep", "60"]);
  await assert.rejects(container.start(), { statusCode: 304 });
  await assert.rejects(container.remove(), { statusCode: 409 });
  await container.remove({ force: true });
});
