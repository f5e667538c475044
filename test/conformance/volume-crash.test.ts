import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

const rounds = Number(process.env["SLIPWAY_TEST_CRASHES"] ?? 4);
const files = 2500;

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-volume-crash-"));
  const data = join(folder, "image/srv/data");
  await mkdir(data, { recursive: true });
  for (let index = 0; index < files; index++) await writeFile(join(data, `f${index}`), String(index));
  await mustRun("tar", ["-C", join(folder, "image"), "-cf", join(folder, "image.tar"), "."]);
  daemon = await startDaemon({ busybox: true });
  await said(daemon, "import", join(folder, "image.tar"), "many");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** How long the whole work takes; crashes are spread over it. */
async function workMs(): Promise<number> {
  const started = performance.now();
  await said(daemon, "create", "--name", "measured", "-v", "measured:/srv/data", "many", "x");
  return performance.now() - started;
}

test("kill -9 while volumes are made and filled: what was answered is whole, what was not is gone, and the next use fills anew", async (context) => {
  const spanMs = await workMs();
  const volumes = join(daemon.roots.dataRoot, "volumes");
  let cutOff = 0;
  for (let round = 0; round < rounds; round++) {
    const answered = new Set<string>();
    const made = { Image: "many", Cmd: ["x"], Volumes: { "/own": {} }, HostConfig: { Binds: [`v${round}:/srv/data`] } };
    const work = Promise.allSettled([
      daemon.api("POST", `/containers/create?name=c${round}`, made).then(({ status }) => {
        if (status === 201) answered.add("container");
      }),
      ...[0, 1, 2].map(async (index) => {
        await sleep((spanMs * index) / 3);
        const { status } = await daemon.api("POST", "/volumes/create", { Name: `plain${round}.${index}` });
        if (status === 201) answered.add(`plain${round}.${index}`);
      }),
    ]);
    await sleep((spanMs * (round + 0.5)) / rounds);
    await daemon.kill9();
    await work;
    await daemon.start();
    const { body } = await daemon.api("GET", "/volumes");
    const names = new Set((body.Volumes as { Name: string }[]).map(({ Name }) => Name));
    for (const name of answered) if (name !== "container") assert.ok(names.has(name), `${name} was answered`);
    const { status } = await daemon.api("GET", `/containers/c${round}/json`);
    assert.equal(status, answered.has("container") || status === 200 ? 200 : 404);
    const found = names.has(`v${round}`) ? (await readdir(join(volumes, `v${round}/_data`))).length : 0;
    assert.ok(found === 0 || found === files, `${found} of ${files}`);
    if (status === 200) assert.equal(found, files);
    else cutOff++;
    const anonymous = [...names].filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
    const containers = (await daemon.api("GET", "/containers/json?all=1")).body as { Names: string[] }[];
    assert.equal(anonymous, containers.filter(({ Names }) => !Names.includes("/measured")).length, "none is nobody's");
    for (const name of await readdir(volumes)) {
      assert.ok(names.has(name), `${name} is no volume`);
      assert.deepEqual(await readdir(join(volumes, name)), ["_data"]);
    }
    if (status === 404)
      await said(daemon, "create", "--name", `c${round}`, "-v", `v${round}:/srv/data`, "-v", "/own", "many", "x");
    assert.equal((await readdir(join(volumes, `v${round}/_data`))).length, files);
  }
  context.diagnostic(`${cutOff} of ${rounds} were cut off`);
  assert.ok(cutOff > 0);
});

test("kill -9 while volumes are removed: gone or whole", async () => {
  for (let round = 0; round < 2; round++) {
    const name = `r${round}`;
    await said(daemon, "create", "--name", name, "-v", `${name}:/srv/data`, "many", "x");
    await said(daemon, "rm", name);
    const removal = daemon.api("DELETE", `/volumes/${name}`).catch(() => undefined);
    await sleep(3 + round * 25);
    await daemon.kill9();
    await removal;
    await daemon.start();
    const { status } = await daemon.api("GET", `/volumes/${name}`);
    const home = join(daemon.roots.dataRoot, "volumes", name);
    if (status === 200) assert.equal((await readdir(join(home, "_data"))).length, files);
    else await assert.rejects(stat(home), /ENOENT/);
    assert.ok(!(await readdir(join(home, ".."))).some((entry) => entry.startsWith(".")));
  }
});

test("a volume whose record is lost is taken up with its data", async () => {
  const lost = join(daemon.roots.dataRoot, "volumes/lost/_data");
  await daemon.stop();
  await mkdir(lost, { recursive: true });
  await writeFile(join(lost, "f"), "kept");
  await mkdir(join(daemon.roots.dataRoot, "volumes/empty/_data"), { recursive: true });
  await daemon.start();
  assert.equal(await said(daemon, "run", "--rm", "-v", "lost:/l", "busybox", "cat", "/l/f"), "kept");
  assert.equal((await daemon.api("GET", "/volumes/empty")).status, 404);
  assert.match(await daemon.log(), /a volume without a record was found and taken up/);
});
