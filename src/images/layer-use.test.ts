import assert from "node:assert/strict";
import { test } from "node:test";
import { dockerArchive, loadBytes, openTestRoom, tarOf } from "./images.fixture.ts";

test("layerUse: each layer counts once; shared is what stands on the same layers in another image", async () => {
  await using room = await openTestRoom();
  const layer = async (path: string, size: number): Promise<Buffer> => await tarOf([{ path, data: "x".repeat(size) }]);
  const [base, x, y] = [await layer("base", 1000), await layer("x", 20), await layer("y", 3)];
  const images = { a: [base, x], b: [base, y], c: [x] };
  for (const [name, layers] of Object.entries(images))
    await loadBytes(room.images, await dockerArchive([{ tags: [`${name}:1`], layers }]));
  const shared = (): Record<string, number | undefined> => {
    const { sharedBytes } = room.images.layerUse();
    return Object.fromEntries(
      room.images
        .list({ all: true, filters: {} })
        .map(({ id, repoTags }) => [repoTags[0] ?? "", sharedBytes.get(id)] as const),
    );
  };
  assert.deepEqual(shared(), { "a:1": 1000, "b:1": 1000, "c:1": 0 });
  assert.equal(room.images.layerUse().layersBytes, 1000 + 20 + 3 + 20);
  await room.images.createRoot(room.images.find("b:1").id, "holder");
  await room.images.remove("b:1", { force: true, prune: true });
  await room.images.remove("c:1", { force: false, prune: true });
  assert.deepEqual(shared(), { "a:1": 0 });
  assert.equal(room.images.layerUse().layersBytes, 1000 + 20 + 3, "a container still stands on what was b");
});
