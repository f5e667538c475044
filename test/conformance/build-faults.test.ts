import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { tarHeader, type TarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import { until } from "#fixtures/collectors";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { makeDisk } from "#fixtures/disks";
import { said } from "#fixtures/expect";
import { folderOf } from "#fixtures/files";
import { type Inventory, settle, takeInventory } from "#fixtures/inventory";
import { mustRun, type Outcome } from "#fixtures/program";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-build-faults-"));
});
after(async () => await rm(folder, { recursive: true, force: true }));

async function contextOf(files: Readonly<Record<string, string>>): Promise<string> {
  return await folderOf(folder, files);
}

async function build(daemon: TestDaemon, ...args: readonly string[]): Promise<Outcome> {
  return await daemon.dockerWith({ env: { DOCKER_BUILDKIT: "0" }, timeoutMs: 90_000 }, "build", ...args);
}

async function mustBuild(daemon: TestDaemon, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await build(daemon, ...args);
  assert.equal(code, 0, stderr + stdout);
  return stdout;
}

/** What a build would leave: mounts, cgroups, runtimes, files in the data root's folders of builds and containers. */
function traces({ instance, roots }: TestDaemon): RegExp {
  const root = `(?:${roots.execRoot}|${roots.dataRoot})`;
  return new RegExp(`^mount .*${root}|^cgroup .*${instance}/|^process \\d+ (?:/\\S*/)?crun .*${root}`);
}

async function noneLeft(daemon: TestDaemon, before: Inventory): Promise<void> {
  assert.deepEqual(await settle(before, traces(daemon)), []);
  const places = ["build/contexts", "roots", "containers"].map((name) => join(daemon.roots.dataRoot, name));
  places.push(join(daemon.roots.execRoot, "containers"), join(daemon.roots.execRoot, "runtime"));
  const left = async (): Promise<string[]> => {
    const lists = places.map(async (place) => (await readdir(place).catch(() => [])).map((name) => join(place, name)));
    return (await Promise.all(lists)).flat();
  };
  for (let tries = 100; tries > 0 && (await left()).length > 0; tries--) await sleep(30);
  assert.deepEqual(await left(), []);
}

type Entry = readonly [fields: Partial<TarHeader> & { readonly path: string }, text?: string];

/** An archive with these entries; a text is a file of mode 644. */
async function archiveOf(...entries: readonly Entry[]): Promise<Buffer> {
  async function* each() {
    for (const [fields, text = ""] of entries) {
      const data = Buffer.from(text);
      yield { header: tarHeader({ type: "file", mode: 0o644, sizeBytes: data.length, ...fields }), data };
    }
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of writeTar(each())) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** A build of a raw client's, which reads what it wants to. */
async function rawBuild(daemon: TestDaemon, dockerfile: string, query = ""): Promise<Socket> {
  const socket = connect(daemon.socket);
  socket.on("error", () => undefined);
  const body = await archiveOf([{ path: "Dockerfile" }, dockerfile]);
  socket.write(`POST /build?${query} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  return socket;
}

async function hears(socket: Socket, words: string): Promise<void> {
  let told = "";
  const listen = (bytes: Buffer): void => void (told += bytes.toString());
  socket.on("data", listen);
  await until(
    () => told.includes(words),
    () => told,
  );
  socket.off("data", listen);
}

async function privateBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = [...text.matchAll(/^Private_\w+: +(\d+) kB/gm)].map(([, digits]) => Number(digits));
  return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}

test("a client that stops reading: the step waits for it, the daemon's memory stays, and all ends when it leaves", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN seq 1 100000\n" }));
  const before = await takeInventory(traces(daemon));
  const socket = await rawBuild(
    daemon,
    "FROM busybox\nRUN echo 'beg''un'; yes 0123456789abcdef | head -c 2000000000\n",
  );
  await hears(socket, "begun");
  socket.pause();
  await sleep(500);
  const bytes = await privateBytesOf(daemon.pid);
  await sleep(3000);
  const grown = (await privateBytesOf(daemon.pid)) - bytes;
  assert.ok(grown < 24 << 20, `${grown} bytes more after three seconds`);
  assert.equal(await said(daemon, "run", "--rm", "busybox", "echo", "others go on"), "others go on");
  socket.destroy();
  await noneLeft(daemon, before);
});

test("a client that leaves in the upload, and one that leaves in a step: each build is over, and nothing of it is left", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN true\n" }));
  const before = await takeInventory(traces(daemon));
  const running = async (): Promise<number> => {
    const { body } = await daemon.api("GET", "/slipway/build/history");
    return (body as { readonly Status: string }[]).filter(({ Status }) => Status === "running").length;
  };
  const uploading = connect(daemon.socket);
  uploading.on("error", () => undefined);
  const body = await archiveOf([{ path: "Dockerfile" }, "FROM busybox\n"], [{ path: "big" }, "x".repeat(3_000_000)]);
  uploading.write(`POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  uploading.write(body.subarray(0, 2_000_000));
  await until(
    () => existsSync(join(daemon.roots.dataRoot, "build/contexts")),
    () => "the upload has not begun",
  );
  await sleep(300);
  assert.equal(await running(), 1);
  uploading.destroy();
  await noneLeft(daemon, before);
  assert.equal(await running(), 0);

  const script =
    "trap '' TERM INT HUP; (while true; do sleep 1000 & sleep 0.05; done) & echo 'beg''un'; while :; do :; done";
  for (const end of ["leave", "cancel"] as const) {
    const socket = await rawBuild(daemon, `FROM busybox\nRUN ${script}\n`, "buildid=of-test");
    await hears(socket, "begun");
    const askedMs = performance.now();
    if (end === "leave") socket.destroy();
    else assert.equal((await daemon.api("POST", "/build/cancel?id=of-test")).status, 200);
    while ((await running()) > 0) await sleep(20);
    const tookMs = performance.now() - askedMs;
    assert.ok(tookMs < 1500, `${end}: over after ${tookMs} ms`);
    await noneLeft(daemon, before);
    socket.destroy();
  }
});

test("a step without enough memory is told so", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const context = await contextOf({ Dockerfile: "FROM busybox\nRUN tail /dev/zero\n" });
  const { code, stderr } = await build(daemon, "--memory", "24m", "--memory-swap", "24m", context);
  assert.equal(code, 137);
  assert.match(stderr, /returned a non-zero code: 137 \(it was out of memory\)/);
});

test("kill -9 of the daemon in a build: what was finished is cached, what ran is gone, and nothing is left over", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN true\n" }));
  const before = await takeInventory(traces(daemon));
  const steps = (last: string): string =>
    `FROM busybox\nRUN head -c 1000000 /dev/urandom > /noise\nCOPY file /file\nRUN ${last}\n`;
  const context = await contextOf({ Dockerfile: steps("sleep 600"), file: "text" });
  const building = build(daemon, "--network", "default", context);
  await until(
    async () => (await readdir(join(daemon.roots.execRoot, "containers")).catch(() => [])).length > 0,
    () => "no step runs",
  );
  await sleep(700); // into the last one
  await daemon.kill9();
  assert.notEqual((await building).code, 0);
  await daemon.start();
  await noneLeft(daemon, before);
  const [lost] = (await daemon.api("GET", "/slipway/build/history")).body;
  assert.equal(lost.Status, "lost");
  await writeFile(join(context, "Dockerfile"), steps("wc -c < /noise"));
  const again = await mustBuild(daemon, context);
  assert.equal([...again.matchAll(/ ---> Using cache\n/g)].length, 2, again);
  assert.match(again, /\n1000000\n/);

  // And whenever else it comes.
  for (let round = 0; round < 3; round++) {
    const text = `FROM busybox\nRUN echo ${round} > /a\nCOPY file /b\nRUN cat /a /b > /c\n`;
    const path = await contextOf({ Dockerfile: text, file: "text" });
    const interrupted = build(daemon, "-t", `round:${round}`, path);
    await sleep(60 + 120 * round);
    await daemon.kill9();
    await interrupted;
    await daemon.start();
    await noneLeft(daemon, before);
    await mustBuild(daemon, "-t", `round:${round}`, path);
    assert.equal(
      await said(daemon, "run", "--rm", "--network", "none", `round:${round}`, "cat", "/c"),
      `${round}\ntext`,
    );
  }
});

test("a full disk in RUN, COPY, the upload of a context: it is said, nothing is left, and what is freed can be used", async () => {
  await using disk = await makeDisk("ext4", 420 << 20);
  const execRoot = await mkdtemp("/run/slipway-test-");
  const roots = { dataRoot: join(disk.path, "data"), execRoot, socket: join(execRoot, "api.sock") };
  await mkdir(roots.dataRoot);
  await using daemon = await startDaemon({ busybox: true, roots, args: ["--disk-budget", "off"] });
  await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN true\n" }));
  const before = await takeInventory(traces(daemon));
  const freeBytes = async (): Promise<number> =>
    Number(await mustRun("stat", ["-f", "-c", "%a", disk.path])) *
    Number(await mustRun("stat", ["-f", "-c", "%S", disk.path]));
  const free = await freeBytes();

  const run = await contextOf({ Dockerfile: "FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=450\n" });
  const ran = await build(daemon, run);
  assert.equal(ran.code, 1);
  assert.match(ran.stdout + ran.stderr, /No space left on device/);
  await noneLeft(daemon, before);

  const copy = await contextOf({ Dockerfile: "FROM busybox\nCOPY big /big\n", big: "" });
  await truncate(join(copy, "big"), 450 << 20);
  const copied = await daemon.slipwayWith({ timeoutMs: 90_000 }, "build", copy);
  assert.equal(copied.code, 1);
  assert.match(copied.stderr, /no space left|disk/i);
  await noneLeft(daemon, before);

  const sent = await build(daemon, copy);
  assert.equal(sent.code, 1);
  assert.match(sent.stderr, /no space left|disk/i);
  await noneLeft(daemon, before);

  assert.ok(free - (await freeBytes()) < 16 << 20, "the room is free again");
  assert.match(await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN echo goes on\n" })), /goes on/);
});

test("hostile archives as contexts are refused or tamed, and touch nothing outside", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await mustBuild(daemon, await contextOf({ Dockerfile: "FROM busybox\nRUN true\n" }));
  const before = await takeInventory(traces(daemon));
  const outside = await contextOf({ victim: "untouched" });
  const dockerfile = [
    { path: "Dockerfile" },
    "FROM busybox\nCOPY . /got\nRUN find /got -type f -exec cat {} +\n",
  ] as const;
  const hostile: readonly (readonly [string, readonly Entry[], RegExp])[] = [
    [
      "a name above",
      [dockerfile, [{ path: `../../../../../..${outside}/victim` }, "gotcha"]],
      /path that leaves its root/,
    ],
    ["a device", [dockerfile, [{ path: "disk", type: "block", major: 8, minor: 0 }]], /device/],
    [
      "through a symlink",
      [dockerfile, [{ path: "way", type: "symlink", linkPath: outside }], [{ path: "way/victim" }, "gotcha"]],
      /./,
    ],
    ["a hard link", [dockerfile, [{ path: "hard", type: "hardlink", linkPath: `${outside}/victim` }]], /./],
    ["a whiteout", [dockerfile, [{ path: ".wh.Dockerfile" }, ""]], /./],
    ["an absolute name", [dockerfile, [{ path: `${outside}/victim` }, "gotcha"]], /gotcha/],
    [
      "a Dockerfile that is a link out",
      [[{ path: "Dockerfile", type: "symlink", linkPath: `${outside}/victim` }]],
      /./,
    ],
    ["a Dockerfile that is a folder", [[{ path: "Dockerfile", type: "directory", mode: 0o755 }]], /Dockerfile/],
  ];
  for (const [what, entries, words] of hostile) {
    const archive = await archiveOf(...entries);
    const file = join(folder, "hostile.tar");
    await writeFile(file, archive);
    const { code, stdout, stderr } = await daemon.dockerWith(
      { env: { DOCKER_BUILDKIT: "0" }, input: archive },
      "build",
      "-",
    );
    assert.match(stderr + stdout, words, what);
    assert.doesNotMatch(stderr + stdout, /untouched/, what);
    if (what !== "an absolute name") assert.notEqual(code, 0, `${what}: ${stdout}`);
    assert.equal(await readFile(join(outside, "victim"), "utf8"), "untouched", what);
    await noneLeft(daemon, before);
  }
});
