import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DiskUsageAnswer } from "#api/wire";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { busyboxArchive, makeTestImage } from "#fixtures/images";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-df-"));
  daemon = await startDaemon({ busybox: true });
  const path = join(folder, "own.tar");
  await makeTestImage(path, { names: ["docker.io/library/own:1"], files: { data: "x".repeat(1_000_000) } });
  await said(daemon, "load", "-q", "-i", path);
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function df(query = ""): Promise<DiskUsageAnswer> {
  const { body, status } = await daemon.api("GET", `/system/df${query}`);
  assert.equal(status, 200);
  return body as DiskUsageAnswer;
}

/** Ours and Docker's print, in one and the same second of "2 seconds ago". */
async function bothPrint(args: readonly string[]): Promise<[string, string]> {
  for (let tries = 1; ; tries++) {
    const ours = await daemon.slipway(...args);
    assert.deepEqual([ours.code, ours.stderr], [0, ""]);
    const theirs = await said(daemon, ...args);
    const again = await daemon.slipway(...args);
    if (ours.stdout === again.stdout) return [ours.stdout.trimEnd(), theirs];
    // On a machine this slow no two commands run in the same second.
    if (tries === 3) return [timeless(ours.stdout.trimEnd()), timeless(theirs)];
  }
}

/** Without ages, and the room that they take in a table. */
function timeless(text: string): string {
  return text
    .replaceAll(/(?:Less than a second|About a minute|\d+ (?:seconds?|minutes?))/g, "AGE")
    .replaceAll(/ +/g, " ");
}

async function sizeOf(name: string): Promise<number | undefined> {
  const { Containers } = await df();
  return Containers?.find(({ Names }) => Names.includes(`/${name}`))?.SizeRw;
}

test("system df: docker and slipway print the same, in short, verbose and as JSON", async () => {
  await said(daemon, "run", "--name", "ended", "busybox", "sh", "-c", "head -c 12345 /dev/zero > /f");
  await said(daemon, "run", "-d", "--name", "runs", "own:1", "sh", "-c", "echo 1234 > /f; sleep 600");
  for (const args of [
    ["system", "df"],
    ["system", "df", "--format", "{{.Type}}: {{.Size}} {{.Reclaimable}}"],
    ["system", "df", "--format", "json"],
    ["system", "df", "-v"],
    ["system", "df", "-v", "--format", "{{range .Images}}{{.ID}} {{.UniqueSize}};{{end}}"],
    ["builder", "prune", "-f"],
  ]) {
    assert.equal(...(await bothPrint(args)), args.join(" "));
  }
  const table = await said(daemon, "system", "df", "-v");
  assert.match(table, /own +1 +[0-9a-f]{12} .* 1MB +1$/m);
  assert.match(table, /busybox +latest +[0-9a-f]{12} .* 0B +1$/m);
});

test("system df: sizes are exact at any moment: while it runs, after it stopped, after cp, after the next run", async () => {
  const write = "until [ -e /go ]; do sleep 0.05; done; head -c 1000 /dev/zero >> /f";
  await said(daemon, "run", "-d", "--name", "cc", "busybox", "sh", "-c", `head -c 100 /dev/zero > /f; ${write}`);
  const reaches = async (bytes: number): Promise<void> => {
    for (let tries = 0; (await sizeOf("cc")) !== bytes && tries < 100; tries++);
    assert.equal(await sizeOf("cc"), bytes);
  };
  await reaches(100);
  await said(daemon, "exec", "cc", "touch", "/go");
  await said(daemon, "wait", "cc");
  await reaches(1100);
  const path = join(daemon.roots.dataRoot, "slipway.db");
  await said(daemon, "cp", path, "cc:/db");
  const { stdout } = await daemon.docker("ps", "-as", "--filter", "name=^cc$", "--format", "{{.Size}}");
  assert.doesNotMatch(stdout, /^1.1kB/);
  const grown = (await sizeOf("cc")) ?? 0;
  assert.ok(grown > 1_000_000);
  await daemon.kill9();
  await daemon.start();
  assert.equal(await sizeOf("cc"), grown);
  await said(daemon, "start", "-a", "cc");
  await reaches(grown); // it wrote the same again
  const { body } = await daemon.api("GET", "/containers/cc/json?size=1");
  assert.equal(body.SizeRw, grown);
});

test("GET /system/df: the types filter, and what versions differ in", async () => {
  const all = await df();
  assert.deepEqual([all.Volumes, all.BuildCache, all.BuilderSize], [[], [], undefined]);
  const [first, second] = all.Images ?? [];
  assert.ok(first !== undefined && second !== undefined && first.SharedSize > 1_000_000);
  assert.equal(first.SharedSize, second.SharedSize);
  assert.equal(all.LayersSize, first.Size + second.Size - first.SharedSize, "the shared layer counts once");
  const some = await df("?type=image&type=volume");
  assert.deepEqual([some.Containers, some.BuildCache, some.Volumes, some.Images?.length], [null, null, [], 2]);
  const containers = await df("?type=container");
  assert.deepEqual([containers.Images, containers.LayersSize, containers.Containers?.length], [null, 0, 3]);
  const unknown = await daemon.api("GET", "/system/df?type=soup");
  assert.deepEqual([unknown.status, unknown.body.message], [400, "unknown object type: soup"]);
  const older = (await daemon.api("GET", "/v1.41/system/df?type=soup")).body;
  assert.deepEqual([older.BuilderSize, older.Images.length, older.Images[0].VirtualSize > 0], [0, 2, true]);
});

test("system prune: by the docker CLI, with filters, and -a; what is held stays", async () => {
  await said(daemon, "network", "create", "old-net");
  const none = await said(daemon, "system", "prune", "-a", "-f", "--filter", "until=24h");
  assert.equal(none, "Total reclaimed space: 0B");
  await said(daemon, "create", "--name", "labelled", "--label", "keep=me", "busybox");
  const labelled = await said(daemon, "system", "prune", "-f", "--filter", "label=keep=me");
  assert.match(labelled, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B$/);
  assert.match(await said(daemon, "system", "prune", "-f", "--filter", "label!=x", "--filter", "until=24h"), /: 0B$/);
  const volumes = await said(daemon, "system", "prune", "-f", "--volumes");
  assert.match(volumes, /Deleted Networks:\nold-net\n/);
  assert.equal((await df()).Containers?.length, 1, "the one that runs");
  await refused(daemon, "until", "system", "prune", "-f", "--volumes", "--filter", "until=1h");
  const ours = await daemon.slipway("system", "prune", "-f", "--volumes", "--filter", "until=1h");
  assert.match(ours.stderr, /The "until" filter is not supported with "--volumes"/);
  const images = await daemon.slipway("system", "prune", "-a", "-f");
  assert.match(images.stdout, /^Deleted Images:\nuntagged: busybox:latest\n.*\n\nTotal reclaimed space: 0B\n$/s);
  assert.deepEqual(
    (await df()).Images?.map(({ RepoTags }) => RepoTags[0]),
    ["own:1"],
  );
  assert.equal(await said(daemon, "image", "prune", "-a", "-f"), "Total reclaimed space: 0B");
  const asked = await daemon.slipwayWith({ input: "n\n" }, "system", "prune", "--filter", "until=1h");
  assert.equal(asked.code, 1);
  const docker = await daemon.dockerWith({ input: "n\n" }, "system", "prune", "--filter", "until=1h");
  assert.equal(asked.stdout.split("\nAre you")[0], docker.stdout.split("\nAre you")[0]);
});

test("system df: volumes, their sizes and who uses them; system prune --volumes takes the unused ones without a name", async () => {
  await said(daemon, "load", "-q", "-i", await busyboxArchive());
  await said(
    daemon,
    "run",
    "--name",
    "writer",
    "-v",
    "kept:/a",
    "-v",
    "/b",
    "busybox",
    "sh",
    "-c",
    "echo 123 >/a/f; echo 12345 >/b/f",
  );
  const named = async (): Promise<Map<string, { Size: number; RefCount: number } | undefined>> =>
    new Map(((await df("?type=volume")).Volumes ?? []).map(({ Name, UsageData }) => [Name, UsageData]));
  const before = await named();
  assert.deepEqual(before.get("kept"), { Size: 4, RefCount: 1 });
  assert.deepEqual(new Set([...before.values()].map((usage) => usage?.Size)), new Set([4, 6]));
  assert.match(await said(daemon, "system", "df"), /Local Volumes +2 +2 +10B +0B/);
  await said(daemon, "rm", "writer");
  assert.match(await said(daemon, "system", "df"), /Local Volumes +2 +0 +10B +10B/);
  assert.match(await said(daemon, "system", "prune", "-f", "--volumes"), /Total reclaimed space: /);
  assert.deepEqual([...(await named())], [["kept", { Size: 4, RefCount: 0 }]]);
  await said(daemon, "volume", "rm", "kept");
});
