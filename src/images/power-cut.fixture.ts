/**
 * The program that a power cut interrupts: works on an image store, and says before and after each step on
 * standard output what it does. Arguments: the store's folder, the address of a registry with `team/app:0`, `:1` …, and how many of these it has
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { parseReference } from "#core/reference";
import { dockerArchive, loadBytes, openTestRoom, piecesOf, tarOf, type TestRoom } from "./images.fixture.ts";

const signal = new AbortController().signal;

/** The layer that an image of that name has: a file with its name, and one long enough that writing it takes a while. */
export async function layerOf(name: string): Promise<Buffer> {
  return await tarOf([
    { path: "who", data: name },
    { path: "data", data: `${name}\n`.repeat(20_000) },
  ]);
}

if (process.argv[1] === import.meta.filename)
  await work(process.argv[2] ?? "", process.argv[3] ?? "", Number(process.argv[4]));

async function work(folder: string, registry: string, rounds: number): Promise<void> {
  const { images, shim } = await openTestRoom({ folder });
  const live = new Set<string>();
  const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    writeSync(1, `begin ${what}\n`);
    await work();
    writeSync(1, `done ${what}\n`);
  };
  const remove = async (name: string): Promise<void> => {
    await step(`remove ${name}`, async () => await images.remove(name, { force: false, prune: true }));
  };
  for (let round = 0; round < rounds; round++) {
    const [load, named, imported, committed, built] = ["load", "tag", "import", "commit", "build"].map(
      (word) => `${word}:${round}`,
    );
    if (load === undefined || named === undefined || imported === undefined) return;
    if (committed === undefined || built === undefined) return;
    const archive = await dockerArchive([{ tags: [load], layers: [await layerOf(load)] }]);
    await step(`add ${load}`, async () => await loadBytes(images, archive));
    await step(`add ${named}`, async () => await images.tag(load, parseReference(named)));
    const layer = await layerOf(imported);
    const options = { reference: parseReference(imported), changes: [], message: "" };
    await step(`add ${imported}`, async () => await images.importArchive(piecesOf(layer), options, signal));
    const pulled = `${registry}/team/app:${round}`;
    await step(`add ${pulled}`, async () => {
      for await (const _ of images.pull({ reference: parseReference(pulled) }, signal));
    });
    const container = `c${round}`;
    live.add(container);
    const target = join(folder, "layers", ".mount");
    const mounts = (await images.createRoot(images.find(load).id, container)).mountsAt(target);
    await shim.runToEnd({ argv: ["sh", "-ec", `printf ${committed} >who`], cwd: target, mounts });
    await step(`add ${committed}`, async () => {
      const commit = { reference: parseReference(committed), config: {}, changes: [], author: "", comment: "" };
      await images.commitRoot(container, { ...commit, createdBy: "" }, signal);
    });
    await step(`add ${built}`, async () => await build({ images, shim, folder }, built, await layerOf(built)));
    if (round % 3 === 0) continue;
    live.delete(container);
    await images.dropRoot(container);
    await remove(load);
    await remove(committed);
    await remove(built);
    if (round % 3 === 1) continue;
    await remove(named);
    const { images: holdings } = await images.holdings();
    const chosen = holdings.filter(({ repoTags }) => repoTags.includes(imported));
    await step(`remove ${imported}`, async () => await images.collectImages(chosen, "disk budget"));
    await images.collect(live);
  }
}

/** An image of a layer that came as an archive and one that a program wrote; and a layer that is held, and in no image. */
async function build(
  { images, shim, folder }: Pick<TestRoom, "images" | "shim" | "folder">,
  name: string,
  tar: Uint8Array,
): Promise<void> {
  await using lease = images.layers.lease();
  const base = await images.layers.add(undefined, piecesOf(tar), lease, signal);
  await images.layers.createRoot(base.stack, "step");
  const target = join(folder, "layers", ".mount");
  const mounts = images.openRoot("step").mountsAt(target);
  await shim.runToEnd({ argv: ["sh", "-ec", `mkdir made; echo ${name} >made/by`], cwd: target, mounts });
  const made = await images.layers.seal("step", { without: [] }, lease, signal);
  await images.dropRoot("step");
  if (made === undefined) throw new Error("nothing was written");
  const config = { architecture: "amd64", os: "linux", created: "2024-01-01T00:00:00Z" };
  const layers = [base.layer, made.layer];
  await images.layers.assemble({ config, layers, tags: [parseReference(name)] }, lease);
  const held = await images.layers.add(
    made.stack,
    piecesOf(await tarOf([{ path: "more", data: name }])),
    lease,
    signal,
  );
  images.layers.hold("build:1", { stacks: [held.stack], blobs: [held.layer.blob.digest] });
}
