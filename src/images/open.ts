import { join } from "node:path";
import { imageAdopter } from "./adopt.ts";
import { Catalog } from "./catalog.ts";
import { CheckRecords } from "./check/check-records.ts";
import { keepContentIndex } from "./content-index.ts";
import { openContentStore } from "./content-store.ts";
import { takeEmbedded } from "./embedded.ts";
import type { Images, ImagesOptions } from "./images.ts";
import { Keeper } from "./keeper.ts";
import { openOverlay } from "./overlay.ts";
import { createPuller } from "./pull.ts";
import { createPusher } from "./push.ts";
import { openRegistryClient } from "./registry/client.ts";
import { ImageRoom } from "./room.ts";
import { Roots } from "./roots.ts";
import { StackLayers } from "./layers/stack-layers.ts";
import { openUnpacker } from "./unpacker.ts";
import { layerVerifier } from "./verify-layer.ts";

/** Opens the room: brings its tables up to date, makes its folders, takes the built-in image in. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  const { database, shim, clock, events, paths, maxConcurrentDownloads, bootId: boot } = options;
  const layers = join(paths.dataRoot, "layers");
  const catalog = new Catalog(database, clock);
  catalog.forgetUnsynced(boot);
  const records = new CheckRecords(database);
  const content = openContentStore(join(paths.dataRoot, "content"), boot);
  keepContentIndex(catalog, content, join(paths.dataRoot, "content"));
  const snapshots = openOverlay(layers, shim);
  const keeper = new Keeper(catalog, content, snapshots, clock);
  const unpacker = openUnpacker({ catalog, content, snapshots, shim, folder: layers, boot });
  const roots = new Roots({ catalog, snapshots, shim, folder: join(paths.dataRoot, "roots") });
  const verify = layerVerifier(catalog, content, shim);
  const adopt = imageAdopter(catalog, content, snapshots, verify);
  const registry = openRegistryClient({ ...options, environment: process.env });
  const puller = createPuller({
    registry,
    content,
    catalog,
    leases: keeper,
    unpacker,
    adopt,
    events,
    maxConcurrentDownloads,
  });
  const pusher = createPusher({ registry, content, catalog, leases: keeper, events });
  const parts = { catalog, content, leases: keeper, unpacker, adopt, shim, events };
  if (options.embeddedArchive !== undefined)
    await takeEmbedded(parts, options.embeddedArchive, new AbortController().signal);
  const mountPoint = join(layers, ".mount");
  const stacks = new StackLayers({ ...parts, verify, keeper, snapshots, roots, boot, folder: layers, mountPoint });
  return new ImageRoom({
    ...parts,
    layers: stacks,
    records,
    keeper,
    snapshots,
    roots,
    puller,
    pusher,
    registry,
    clock,
    mountPoint,
  });
}
