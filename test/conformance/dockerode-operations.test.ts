import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { after, afterEach, before, test } from "node:test";
import Docker from "dockerode";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";

let daemon: TestDaemon;
let docker: Docker;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  docker = new Docker({ socketPath: daemon.socket });
});
after(async () => await daemon[Symbol.asyncDispose]());
afterEach(async () => {
  for (const { Id } of await docker.listContainers({ all: true }))
    await docker.getContainer(Id).remove({ force: true });
});

async function running(options: Partial<Docker.ContainerCreateOptions> = {}): Promise<Docker.Container> {
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["sleep", "600"], ...options });
  await container.start();
  return container;
}

/** Looks until what is looked for is there. */
async function inspectUntil(
  container: Docker.Container,
  holds: (facts: Docker.ContainerInspectInfo) => boolean,
): Promise<Docker.ContainerInspectInfo> {
  for (let tries = 0; ; tries++) {
    const facts = await container.inspect();
    if (holds(facts)) return facts;
    assert.ok(tries < 400, JSON.stringify(facts.State));
    await sleep(50);
  }
}

/** What an exec writes on a terminal: not taken apart into frames. */
async function execOutput(container: Docker.Container, options: Docker.ExecCreateOptions): Promise<string> {
  const exec = await container.exec({ AttachStdout: true, AttachStderr: true, Tty: true, ...options });
  return (await text(await exec.start({ hijack: true, Tty: true }))).replaceAll("\r\n", "\n");
}

test("dockerode stats: one document, and a stream of them", async () => {
  const container = await running();
  const once = await container.stats({ stream: false });
  assert.equal(once.id, container.id);
  assert.ok(once.memory_stats.usage > 0 && once.pids_stats?.current === 1);
  assert.ok(once.cpu_stats.system_cpu_usage > once.precpu_stats.system_cpu_usage);
  const stream = await container.stats({ stream: true });
  const reads = new Set<string>();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + String(bytes)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) reads.add((JSON.parse(line) as Docker.ContainerStats).read);
    if (reads.size >= 2) break;
  }
  const fast = await container.stats({ stream: false, "one-shot": true });
  assert.equal(fast.precpu_stats.cpu_usage.total_usage, 0);
});

test("dockerode healthcheck: from starting to healthy and unhealthy, with events", async () => {
  const since = Math.floor(Date.now() / 1000);
  const check = { Test: ["CMD-SHELL", "test ! -e /sick"], Interval: 1e8, Timeout: 5e9, Retries: 2 };
  const container = await running({ Healthcheck: check });
  await inspectUntil(container, ({ State }) => State.Health?.Status === "healthy");
  assert.equal(await execOutput(container, { Cmd: ["touch", "/sick"] }), "");
  const { State } = await inspectUntil(container, (facts) => facts.State.Health?.Status === "unhealthy");
  assert.ok((State.Health?.FailingStreak ?? 0) >= 2);
  assert.ok((State.Health?.Log.length ?? 9) <= 5);
  const range = { since, until: Math.ceil(Date.now() / 1000) + 1 };
  const filters = { container: [container.id], event: ["health_status"] };
  const events = (await text(await docker.getEvents({ ...range, filters }))).trim().split("\n");
  assert.deepEqual(
    events.map((line) => (JSON.parse(line) as { Action: string }).Action),
    ["health_status: healthy", "health_status: unhealthy"],
  );
  assert.deepEqual((await docker.listContainers({ filters: { health: ["unhealthy"] } })).length, 1);
});

test("dockerode restart policy: counts, waits, and update ends it", async () => {
  const container = await running({
    Cmd: ["sh", "-c", "exit 3"],
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
  });
  await inspectUntil(container, ({ RestartCount }) => RestartCount >= 2);
  await container.update({ RestartPolicy: { Name: "no", MaximumRetryCount: 0 } });
  const { State } = await inspectUntil(container, (facts) => facts.State.Status === "exited");
  assert.equal(State.ExitCode, 3);
  assert.equal((await container.inspect()).HostConfig.RestartPolicy?.Name, "no");
});

test("dockerode wait: each condition, and one that is none", async () => {
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["sh", "-c", "sleep 0.2; exit 6"] });
  assert.equal((await container.wait({ condition: "not-running" })).StatusCode, 0);
  const next = container.wait({ condition: "next-exit" });
  await container.start();
  assert.equal((await next).StatusCode, 6);
  const removed = container.wait({ condition: "removed" });
  await container.remove();
  assert.equal((await removed).StatusCode, 6);
  await assert.rejects((await running()).wait({ condition: "nope" as "removed" }), { statusCode: 400 });
});

test("dockerode exec: user, folder, environment, privileged, detach keys", async () => {
  const container = await running({ User: "app", HostConfig: { CapDrop: ["ALL"] } });
  const script = "echo $X; pwd; id -u; grep CapEff /proc/self/status | tr -d '0\\t'";
  const base = { Cmd: ["sh", "-c", script], Env: ["X=1"], WorkingDir: "/tmp" };
  assert.equal(await execOutput(container, base), "1\n/tmp\n1000\nCapEff:\n");
  assert.match(
    await execOutput(container, { ...base, User: "0", Privileged: true }),
    /^1\n\/tmp\n0\nCapEff:[1-9a-f]+\n$/,
  );

  const exec = await container.exec({
    Cmd: ["cat"],
    AttachStdin: true,
    AttachStdout: true,
    Tty: true,
    DetachKeys: "ctrl-a,d",
  });
  const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
  stream.write("typed\n");
  let shown = "";
  for await (const bytes of stream) {
    shown += String(bytes);
    if (/typed[^]*typed/.test(shown)) stream.write("\u0001d"); // ends the loop
  }
  assert.ok((await exec.inspect()).Running);
  await assert.rejects(container.exec({ Cmd: ["true"], DetachKeys: "nope" }), { statusCode: 400 });
});

test("dockerode logs: streams, since, until, tail, timestamps", async () => {
  const container = await running({ Tty: true, Cmd: ["sh", "-c", "echo one; sleep 1.2; echo two"] });
  await container.wait();
  const logs = async (options: Docker.ContainerLogsOptions): Promise<string> =>
    String(await container.logs({ stdout: true, ...options, follow: false })).replaceAll("\r\n", "\n");
  const stamps = (await logs({ timestamps: true }))
    .trim()
    .split("\n")
    .map((line) => Date.parse(line.split(" ")[0] ?? "") / 1000);
  assert.equal(stamps.length, 2);
  const between = (stamps[1] ?? 0) - 0.5;
  assert.equal(await logs({ since: between }), "two\n");
  assert.equal(await logs({ until: between }), "one\n");
  assert.equal(await logs({ tail: 1 }), "two\n");
});

test("dockerode diff and prune: what changed, and what prune takes away", async () => {
  const container = await running({ Cmd: ["sh", "-c", "echo x >/new; rm /etc/group"], Labels: { gone: "" } });
  await container.wait();
  assert.deepEqual(await container.changes(), [
    { Path: "/etc", Kind: 0 },
    { Path: "/etc/group", Kind: 2 },
    { Path: "/new", Kind: 1 },
  ]);
  const kept = await docker.createContainer({ Image: "busybox" });
  const pruned = await docker.pruneContainers({ filters: { label: ["gone"] } });
  assert.deepEqual(pruned.ContainersDeleted, [container.id]);
  assert.ok(pruned.SpaceReclaimed > 0);
  assert.deepEqual(
    (await docker.listContainers({ all: true })).map(({ Id }) => Id),
    [kept.id],
  );
});

test("dockerode networks: create, inspect, connect with settings, disconnect, remove", async () => {
  const network = await docker.createNetwork({
    Name: "rode",
    IPAM: { Driver: "default", Config: [{ Subnet: "10.219.1.0/24", IPRange: "10.219.1.128/25" }] },
    Labels: { suite: "rode" },
  });
  const one = await running({ name: "one", HostConfig: { NetworkMode: "rode" } });
  const two = await running({ name: "two" });
  await network.connect({
    Container: two.id,
    EndpointConfig: { Aliases: ["second"], IPAMConfig: { IPv4Address: "10.219.1.200" } },
  });
  const facts = await one.inspect();
  assert.equal(facts.NetworkSettings.Networks["rode"]?.IPAddress, "10.219.1.128");
  assert.equal(facts.NetworkSettings.Networks["rode"]?.Gateway, "10.219.1.1");
  assert.equal(
    (facts.NetworkSettings as { IPAddress?: string }).IPAddress,
    "",
    "the flat fields are the default bridge's",
  );
  const shown = await network.inspect();
  assert.deepEqual(
    Object.values(shown.Containers ?? {})
      .map(({ Name, IPv4Address }) => `${Name} ${IPv4Address}`)
      .sort(),
    ["one 10.219.1.128/24", "two 10.219.1.200/24"],
  );
  assert.match(await execOutput(one, { Cmd: ["nslookup", "-type=a", "second"] }), /Address: 10\.219\.1\.200/);
  await assert.rejects(network.remove(), { statusCode: 403 });
  await network.disconnect({ Container: two.id });
  assert.equal((await two.inspect()).NetworkSettings.Networks["rode"], undefined);
  await one.remove({ force: true });
  const listed = await docker.listNetworks({ filters: { label: ["suite=rode"] } });
  assert.deepEqual(
    listed.map(({ Id }) => Id),
    [network.id],
  );
  await network.remove();
});

test("dockerode volumes: made, listed, used by containers, refused while in use, pruned, removed", async () => {
  const name = "node-data";
  await docker.createVolume({ Name: name, Labels: { a: "b" } });
  const volume = docker.getVolume(name);
  assert.equal((await volume.inspect()).Labels["a"], "b");
  const container = await running({
    HostConfig: {
      Binds: [`${name}:/data:nocopy`],
      Mounts: [{ Type: "volume", Source: "", Target: "/own", ReadOnly: false }],
    },
  });
  assert.equal(
    await execOutput(container, { Cmd: ["sh", "-c", "touch /data/f /own/f; ls /data /own"] }),
    "/data:\nf\n\n/own:\nf\n",
  );
  const { Mounts: mounts } = await container.inspect();
  assert.deepEqual(
    mounts.map(({ Type, Name, Destination }) => [Type, Name === name, Destination]),
    [
      ["volume", true, "/data"],
      ["volume", false, "/own"],
    ],
  );
  await assert.rejects(volume.remove(), (error: { statusCode?: number }) => error.statusCode === 409);
  const { Volumes: listed } = await docker.listVolumes({ filters: { dangling: ["false"] } });
  assert.equal(listed.length, 2);
  await container.remove({ force: true });
  const { VolumesDeleted: pruned } = await docker.pruneVolumes();
  assert.equal(pruned?.length, 1, "the unnamed one");
  await volume.remove();
  await assert.rejects(volume.inspect(), (error: { statusCode?: number }) => error.statusCode === 404);
});
