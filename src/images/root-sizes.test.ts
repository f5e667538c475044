import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";

async function roomWithBase(): Promise<TestRoom> {
  const room = await openTestRoom();
  const layer = await tarOf([{ path: "etc/" }, { path: "etc/passwd", data: "root" }]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:latest"], layers: [layer] }]));
  return room;
}

async function runIn({ images, shim, folder }: TestRoom, container: string, script: string): Promise<void> {
  const target = join(folder, "layers", ".mount");
  const mounts = images.openRoot(container).mountsAt(target);
  const ran = await shim.runToEnd({ argv: ["sh", "-ec", script], cwd: target, mounts, env: { LC_ALL: "C" } });
  assert.equal(ran.code, 0, ran.stderr);
}

test("rootSizes: apparent sizes, hard links once and by container, nothing for untouched layers, none for unknown ones", async () => {
  await using room = await roomWithBase();
  const { id } = room.images.find("base");
  for (const container of ["untouched", "written", "twin"]) await room.images.createRoot(id, container);
  const script = "printf 12345 >a; ln a b; mkdir d; rm etc/passwd; truncate -s 1M d/hole; ln -s 123 l";
  await runIn(room, "written", script);
  await runIn(room, "twin", `${script}; printf 6 >>a`);
  const asked = ["untouched", "written", "twin", "unknown"].map((container) => ({ container, settled: false }));
  assert.deepEqual(Object.fromEntries(await room.images.rootSizes(asked)), {
    twin: 6 + 1_048_576 + 3,
    untouched: 0,
    written: 5 + 1_048_576 + 3,
  });
});

test("rootSizes: what rests is measured once, across daemons, until its mounts are asked for again", async () => {
  await using room = await roomWithBase();
  await room.images.createRoot(room.images.find("base").id, "c");
  await runIn(room, "c", "printf 12345 >a");
  const file = join(room.images.openRoot("c").driver.data["UpperDir"] ?? "", "a");
  const size = async (images = room.images, settled = true): Promise<number | undefined> =>
    (await images.rootSizes([{ container: "c", settled }])).get("c");
  assert.equal(await size(room.images, false), 5);
  appendFileSync(file, "67");
  assert.equal(await size(), 7, "what does not rest is not kept");
  // Behind its back, which nobody may do: shows that it is not measured again.
  appendFileSync(file, "89");
  assert.equal(await size(), 7);
  const again = await room.reopen();
  assert.equal(await size(again), 7);
  again.openRoot("c").mountsAt("/somewhere");
  assert.equal(await size(again), 9);
});

test("rootSizes: what is measured while the mounts are asked for is not kept", async () => {
  await using room = await roomWithBase();
  await room.images.createRoot(room.images.find("base").id, "c");
  await runIn(room, "c", "printf 12345 >a");
  const root = room.images.openRoot("c");
  const measuring = room.images.rootSizes([{ container: "c", settled: true }]);
  root.mountsAt("/somewhere");
  await measuring;
  writeFileSync(join(root.driver.data["UpperDir"] ?? "", "a"), "1");
  assert.equal((await room.images.rootSizes([{ container: "c", settled: true }])).get("c"), 1);
});
