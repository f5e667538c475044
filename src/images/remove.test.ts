import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { shortId } from "#core/ids";
import { parseReference } from "#core/reference";
import type { Image } from "./images.ts";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";

const gently = { force: false, prune: true };
const byForce = { force: true, prune: true };

async function load(room: TestRoom, name: string, ...files: string[]): Promise<Image> {
  const layers = await Promise.all(files.map(async (file) => await tarOf([{ path: file, data: file }])));
  await loadBytes(room.images, await dockerArchive([{ tags: [name], layers, config: { Labels: { of: name } } }]));
  return room.images.find(name);
}

function left(room: TestRoom): { layers: number; blobs: number } {
  const layers = readdirSync(join(room.folder, "layers")).filter((name) => !name.startsWith(".")).length;
  return { layers, blobs: readdirSync(join(room.folder, "content/blobs/sha256")).length };
}

test("remove: by tag untags, and the last tag takes the image and its own layers along", async () => {
  await using room = await openTestRoom();
  const image = await load(room, "a:1", "shared", "own");
  await load(room, "b:1", "shared");
  await room.images.tag("a:1", parseReference("a:2"));
  assert.deepEqual(await room.images.remove("a:1", gently), [{ untagged: "a:1" }]);
  const removals = await room.images.remove("a:2", gently);
  assert.deepEqual(removals.slice(0, 2), [{ untagged: "a:2" }, { deleted: image.id }]);
  assert.equal(removals.length, 3);
  assert.deepEqual(left(room), { layers: 1, blobs: 3 });
  const rest = await room.images.remove(room.images.find("b:1").id.slice(0, 20), gently);
  assert.equal(rest.length, 3);
  assert.deepEqual(left(room), { layers: 0, blobs: 0 });
  assert.deepEqual(
    room.events.map((event) => event.action),
    ["load", "load", "tag", "untag", "untag", "delete", "untag", "delete"],
  );
  assert.deepEqual(room.events.at(-1)?.attributes, { of: "b:1", name: room.events.at(-1)?.actorId });
});

test("remove: by id with tags of several repositories needs force", async () => {
  await using room = await openTestRoom();
  const { id } = await load(room, "a:1", "f");
  await room.images.tag(id, parseReference("b"));
  const message = `conflict: unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`;
  await assert.rejects(
    room.images.remove(shortId(id), gently),
    (error) => isFault(error, "conflict") && error.message === message,
  );
  const removals = await room.images.remove(shortId(id), byForce);
  assert.deepEqual(removals.slice(0, 3), [{ untagged: "a:1" }, { untagged: "b:latest" }, { deleted: id }]);
});

test("remove: an image that containers use stays, in Docker's words", async () => {
  await using room = await openTestRoom();
  const { id } = await load(room, "a:1", "f");
  const container = "c".repeat(64);
  await room.images.createRoot(id, container);
  assert.deepEqual(room.images.holdersOf(id), [container]);
  const used = shortId(container);
  await assert.rejects(room.images.remove("a:1", gently), {
    message: `conflict: unable to remove repository reference "a:1" (must force) - container ${used} is using its referenced image ${shortId(id)}`,
  });
  await assert.rejects(room.images.remove(id, gently), {
    message: `conflict: unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container ${used}`,
  });
  const running = new Set([container]);
  await assert.rejects(room.images.remove(id, { ...byForce, running }), {
    message: `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container ${used}`,
  });
  await room.images.tag("a:1", parseReference("a:2"));
  assert.deepEqual(await room.images.remove("a:2", gently), [{ untagged: "a:2" }]);
  assert.deepEqual(await room.images.remove("a:1", { ...byForce, running }), [{ untagged: "a:1" }]);
  assert.deepEqual(
    room.images.list({ all: false, filters: { dangling: ["true"] } }).map((image) => image.id),
    [id],
  );
  assert.deepEqual((await room.images.prune({ danglingOnly: true, filters: {} })).removed, []);
  assert.deepEqual(await room.images.remove(id, byForce), [{ deleted: id }]);
  assert.equal(await room.inRoot(container, "cat f"), "f");
  assert.deepEqual(left(room), { layers: 1, blobs: 0 });
  await room.images.dropRoot(container);
  assert.deepEqual(left(room), { layers: 0, blobs: 0 });
  await room.images.dropRoot(container);
});

test("prune: dangling images, or all that nobody uses; filters as Docker's", async () => {
  await using room = await openTestRoom();
  const [a, b] = [await load(room, "a:1", "f"), await load(room, "b:1", "ggg")];
  await load(room, "c:1", "h");
  await room.images.createRoot(a.id, "used");
  await room.images.tag("c:1", parseReference("b:1"));
  const { removed, reclaimedBytes } = await room.images.prune({ danglingOnly: true, filters: {} });
  assert.deepEqual(removed[0], { deleted: b.id });
  assert.equal(reclaimedBytes, 3);
  assert.deepEqual((await room.images.prune({ danglingOnly: false, filters: { label: ["of=x"] } })).removed, []);
  assert.deepEqual((await room.images.prune({ danglingOnly: false, filters: { until: ["2020-01-01"] } })).removed, []);
  await assert.rejects(
    room.images.prune({ danglingOnly: false, filters: { nonsense: ["x"] } }),
    /invalid filter 'nonsense'/,
  );
  assert.equal((await room.images.prune({ danglingOnly: false, filters: { until: ["24h"] } })).removed.length, 4);
  assert.deepEqual(
    room.images.list({ all: true, filters: {} }).map((image) => image.id),
    [a.id],
  );
});

test("list: filters by label, time, name and danglingness", async () => {
  await using room = await openTestRoom();
  await load(room, "app:1", "f");
  await load(room, "team/app:2", "g");
  await room.images.tag("app:1", parseReference("other:1"));
  const names = (filters: Record<string, string[]>): string[] =>
    room.images
      .list({ all: false, filters })
      .flatMap((image) => image.repoTags)
      .sort();
  assert.deepEqual(names({}), ["app:1", "other:1", "team/app:2"]);
  assert.deepEqual(names({ label: ["of=team/app:2"] }), ["team/app:2"]);
  assert.deepEqual(names({ label: ["of"], dangling: ["false"] }), ["app:1", "other:1", "team/app:2"]);
  assert.deepEqual(names({ "label!": ["of=app:1"] }), ["team/app:2"]);
  assert.deepEqual(names({ reference: ["app"] }), ["app:1"]);
  assert.deepEqual(names({ reference: ["*/app"] }), ["team/app:2"]);
  assert.deepEqual(names({ reference: ["[ao]*:1"] }), ["app:1", "other:1"]);
  assert.deepEqual(names({ before: ["app:1"] }), []);
  assert.deepEqual(names({ since: ["app:1"] }), []);
  assert.deepEqual(names({ until: ["2024-05-07"] }), ["app:1", "other:1", "team/app:2"]);
  assert.throws(() => names({ dangling: ["maybe"] }), /invalid filter 'dangling=\[maybe\]'/);
  assert.throws(() => names({ before: ["none"] }), /No such image: none:latest/);
  assert.throws(() => names({ reference: ["[a"] }), /syntax error in pattern/);
});

test("find: by reference, id and prefix; history and faults as Docker's", async () => {
  await using room = await openTestRoom();
  const image = await load(room, "a", "f", "gg").catch(async () => await load(room, "a:latest", "f", "gg"));
  for (const name of [
    "a",
    "a:latest",
    "docker.io/library/a",
    image.id,
    image.id.slice(7),
    shortId(image.id),
    image.id.slice(0, 9),
  ]) {
    assert.equal(room.images.find(name).id, image.id, name);
  }
  for (const name of ["b", "a:2", "f".repeat(64), `a@sha256:${"0".repeat(64)}`]) {
    assert.throws(
      () => room.images.find(name),
      (error) => isFault(error, "notFound") && error.message.startsWith("No such image: "),
      name,
    );
  }
  assert.throws(() => room.images.find("UPPER"), /must be lowercase/);
  await assert.rejects(
    room.images.tag("a", parseReference(`a@sha256:${"0".repeat(64)}`)),
    /refusing to create a tag with a digest reference/,
  );
  assert.deepEqual(
    room.images.history("a").map(({ id, createdBy, sizeBytes, tags }) => [id, createdBy, sizeBytes, tags]),
    [
      [image.id, "step 1", 2, ["a:latest"]],
      ["<missing>", "step 0", 1, []],
    ],
  );
});
