import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function start(name: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker("run", "-d", "--name", name, ...args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

test("docker stats --no-stream: one table with every running container; a format of one's own; all of them", async () => {
  const id = await start("worker", "--memory", "64m", "busybox", "sh", "-c", "while :; do :; done");
  await start("sleeper", "busybox", "sleep", "1000");
  await daemon.docker("create", "--name", "asleep", "busybox", "true");
  const table = await daemon.docker("stats", "--no-stream");
  assert.equal(table.code, 0, table.stderr);
  assert.match(table.stdout, /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\s*$/m);
  const row = new RegExp(`^${id.slice(0, 12)} +worker +([\\d.]+)% +\\S+iB / 64MiB .* 1 *$`, "m").exec(table.stdout);
  assert.ok(Number(row?.[1]) > 2, table.stdout);
  assert.match(table.stdout, /sleeper/);
  assert.doesNotMatch(table.stdout, /asleep/);
  const format = "{{.Name}} {{.PIDs}} {{.MemUsage}}";
  const formatted = await daemon.docker("stats", "--no-stream", "--all", "--format", format);
  assert.match(formatted.stdout, /^asleep 0 0B \/ 0B$/m);
  assert.match(formatted.stdout, /^worker 1 \S+ \/ 64MiB$/m);
  const missing = await daemon.docker("stats", "--no-stream", "nobody");
  assert.match(missing.stderr, /No such container: nobody/);
  await daemon.docker("rm", "-f", "worker", "sleeper", "asleep");
});

test("GET stats: Docker's document; not running, one-shot, versions, refusals", async () => {
  const id = await start("web", "busybox", "sleep", "1000");
  const { body, headers } = await daemon.api("GET", `/containers/web/stats?stream=false`);
  assert.equal(headers["content-type"], "application/json");
  assert.deepEqual([body.name, body.id], ["/web", id]);
  assert.ok(body.cpu_stats.system_cpu_usage > body.precpu_stats.system_cpu_usage);
  assert.ok(Date.parse(body.read) > Date.parse(body.preread));
  assert.ok(body.memory_stats.limit > body.memory_stats.usage);
  assert.deepEqual(Object.keys(body.networks.eth0).toSorted(), [
    "rx_bytes",
    "rx_dropped",
    "rx_errors",
    "rx_packets",
    "tx_bytes",
    "tx_dropped",
    "tx_errors",
    "tx_packets",
  ]);
  const shot = await daemon.api("GET", "/v1.41/containers/web/stats?stream=false&one-shot=true");
  assert.equal(shot.body.preread, "0001-01-01T00:00:00Z");
  assert.equal(shot.body.precpu_stats.system_cpu_usage, undefined);
  const older = await daemon.api("GET", "/v1.40/containers/web/stats?stream=false&one-shot=true");
  assert.ok(older.body.precpu_stats.system_cpu_usage > 0);
  const both = await daemon.api("GET", "/containers/web/stats?one-shot=true");
  assert.deepEqual([both.status, both.body.message], [400, "cannot have stream=true and one-shot=true"]);
  await daemon.docker("kill", "web");
  const stopped = await daemon.api("GET", "/containers/web/stats?stream=false");
  const noCpu = {
    cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
  const { blkio_stats, ...rest } = stopped.body;
  assert.ok(Object.values(blkio_stats).every((one) => one === null));
  assert.deepEqual(rest, {
    name: "/web",
    id,
    read: "0001-01-01T00:00:00Z",
    preread: "0001-01-01T00:00:00Z",
    pids_stats: {},
    num_procs: 0,
    storage_stats: {},
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
  });
  const missing = await daemon.api("GET", "/containers/nobody/stats");
  assert.deepEqual([missing.status, missing.body.message], [404, "No such container: nobody"]);
  await daemon.docker("rm", "web");
});

test("dockerode container.stats: once, and as a stream that ends with the container", async () => {
  const id = await start("streamed", "busybox", "sleep", "1000");
  const container = new Docker({ socketPath: daemon.socket }).getContainer(id);
  const single = await container.stats({ stream: false });
  assert.equal(single.pids_stats?.current, 1);
  const stream = await container.stats({ stream: true });
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(stream, "end");
  while (text.split("\n").length < 3) await once(stream, "data");
  await daemon.docker("rm", "-f", "streamed");
  await ended;
  const [first, second] = text
    .split("\n")
    .map((line) => (line === "" ? undefined : (JSON.parse(line) as typeof single)));
  assert.equal(first?.precpu_stats.system_cpu_usage, undefined);
  assert.equal(second?.preread, first?.read);
});

test("a client that does not read delays nobody", async () => {
  await start("watched", "busybox", "sleep", "1000");
  const asking = request({ socketPath: daemon.socket, path: "/containers/watched/stats", agent: false });
  asking.end();
  const [answer] = (await once(asking, "response")) as [{ pause(): void; destroy(): void }];
  answer.pause();
  const { body } = await daemon.api("GET", "/containers/watched/stats?stream=false");
  assert.equal(body.name, "/watched");
  answer.destroy();
  await daemon.docker("rm", "-f", "watched");
});

test("docker top: ps options as they are, execs too, Docker's refusals", async () => {
  await start("processes", "busybox", "sh", "-c", "sleep 1000 & exec sleep 2000");
  await daemon.docker("exec", "-d", "processes", "sleep", "3000");
  let table = "";
  for (let tries = 0; tries < 100 && !table.includes("3000"); tries++) {
    table = (await daemon.docker("top", "processes", "-o", "pid,cmd")).stdout;
  }
  assert.match(table, /^PID +CMD\s*$/m);
  for (const seconds of [1000, 2000, 3000]) assert.match(table, new RegExp(`^\\d+ +sleep ${seconds}\\s*$`, "m"));
  const { stdout } = await daemon.docker("top", "processes", "aux");
  assert.match(stdout, /^USER +PID +%CPU/);
  assert.equal(stdout.trim().split("\n").length, 4);
  const none = await daemon.docker("top", "processes", "-eo", "user");
  assert.match(none.stderr, /Couldn't find PID field in ps output/);
  await daemon.docker("rm", "-f", "processes");
  const stopped = await daemon.docker("create", "--name", "processes", "busybox", "true");
  assert.match(
    (await daemon.docker("top", "processes")).stderr,
    new RegExp(`container ${stopped.stdout.trim()} is not running`),
  );
  await daemon.docker("rm", "processes");
});

test("docker ps -s and docker diff: what a running container wrote", async () => {
  await start("untouched", "busybox", "sleep", "1000");
  await start(
    "writer",
    "busybox",
    "sh",
    "-c",
    "head -c 5000 /dev/zero >/data; rm /bin/vi; echo x >>/etc/group; sleep 1000",
  );
  const expected = "C /bin\nD /bin/vi\nA /data\nC /etc\nC /etc/group\n";
  let diff = "";
  for (let tries = 0; tries < 100 && diff !== expected; tries++) diff = (await daemon.docker("diff", "writer")).stdout;
  assert.equal(diff, expected);
  assert.equal((await daemon.docker("diff", "untouched")).stdout, "");
  const group = (await daemon.docker("exec", "writer", "stat", "-c", "%s", "/etc/group")).stdout;
  const { body } = await daemon.api("GET", "/containers/json?size=1");
  const sizes = new Map((body as { Names: string[]; SizeRw?: number }[]).map((one) => [one.Names[0], one.SizeRw ?? 0]));
  assert.equal(sizes.get("/writer"), 5000 + Number(group));
  assert.equal(sizes.get("/untouched"), 0);
  const listed = await daemon.docker("ps", "-s", "--format", "{{.Names}} {{.Size}}");
  assert.match(listed.stdout, /^untouched 0B \(virtual \d/m);
  assert.match(listed.stdout, /^writer 5\.\d+kB \(virtual \d/m);
  const missing = await daemon.docker("diff", "nobody");
  assert.match(missing.stderr, /No such container: nobody/);
  await daemon.docker("rm", "-f", "untouched", "writer");
});
