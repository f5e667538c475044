import type { ImageDeleteEntry, PruneBuildCacheOptions } from "#api/client";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { bytes, text, toggle } from "../flags/flag.ts";
import { humanSize } from "../output/size.ts";
import { print, type Surroundings } from "../surroundings.ts";

const force = toggle("Do not ask", { short: "f" });

/** `slipway container prune`. */
export const pruneContainers = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove all stopped containers",
  flags: { filter: filterFlag("Only what fits: until=24h, label=…", { short: false }), force },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (!values.force) await confirm(around, "WARNING! This will remove all stopped containers.");
    await report(around, await prunedContainers(around, values.filter));
    return 0;
  },
});

/** `slipway image prune`. */
export const pruneImages = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused images",
  description: "Removes images without a name; -a removes every image that no container uses.",
  flags: {
    all: toggle("Remove named ones too", { short: "a" }),
    filter: filterFlag("Only what fits: until=24h, label=…", { short: false }),
    force,
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (!values.force) await confirm(around, imageWarning(values.all));
    await report(around, await prunedImages(around, values.all, values.filter));
    return 0;
  },
});

/** `slipway network prune`. */
export const pruneNetworks = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove all unused networks",
  description: "Removes the networks that were created and that no running container is in.",
  flags: { filter: filterFlag("Only what fits: until=24h, label=…", { short: false }), force },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (!values.force)
      await confirm(around, `WARNING! This will remove all custom networks not used by at least one container.`);
    const { text } = await prunedNetworks(around, values.filter);
    if (text !== "") await print(around, text);
    return 0;
  },
});

/** `slipway builder prune`. */
export const pruneBuilder = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove the build cache",
  flags: {
    all: toggle("Remove also what images are made of", { short: "a" }),
    builder: text("Accepted and without effect", { hidden: true }),
    filter: filterFlag("Only what fits: until=24h, unused-for=24h, id=…, type=…, description=…", { short: false }),
    force,
    "keep-storage": bytes("The same as --reserved-space", { hidden: true }),
    "max-used-space": bytes("Room that the cache may take at most"),
    "min-free-space": bytes("Room that is to be free on the disk"),
    "reserved-space": bytes("Room that the cache may keep in any case"),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    const what = values.all ? "all build cache" : "all dangling build cache";
    if (!values.force) await confirm(around, `WARNING! This will remove ${what}.`);
    const bounds = {
      reservedBytes: values["reserved-space"] || values["keep-storage"],
      maxUsedBytes: values["max-used-space"],
      minFreeBytes: values["min-free-space"],
    };
    await report(
      around,
      await prunedBuildCache(around, { all: values.all, filters: filtersOf(values.filter), ...bounds }),
    );
    return 0;
  },
});

/** `slipway system prune`. */
export const pruneSystem = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove stopped containers, unused networks and images, and the build cache",
  flags: {
    all: toggle("Remove every image that no container uses, not only those without a name", { short: "a" }),
    filter: filterFlag("Only what fits: until=24h, label=…", { short: false }),
    force,
    volumes: toggle("Remove anonymous volumes too"),
  },
  args: [0, 0],
  run: async ({ around, values: { all, filter, force, volumes } }) => {
    if (volumes && filter.some((item) => item.startsWith("until=")))
      throw new Error('ERROR: The "until" filter is not supported with "--volumes"');
    if (!force) await confirm(around, systemWarning(all, volumes, filter));
    const parts = [await prunedContainers(around, filter), await prunedNetworks(around, filter)];
    if (volumes) parts.push(await prunedVolumes(around, filter));
    // Filters are for all kinds of things; the cache knows times alone.
    const { until } = filtersOf(filter);
    const filters = until === undefined ? {} : { until };
    parts.push(await prunedImages(around, all, filter), await prunedBuildCache(around, { all, filters }));
    await report(around, {
      text: parts.flatMap(({ text }) => (text === "" ? [] : [text])).join("\n"),
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    return 0;
  },
});

function systemWarning(all: boolean, volumes: boolean, filter: readonly string[]): string {
  const lines = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
    all ? "all build cache" : "unused build cache",
  ];
  const bound = filter.length === 0 ? [] : ["", "  Items to be pruned will be filtered with:", ...filter.map(dashed)];
  return ["WARNING! This will remove:", ...lines.map(dashed), ...bound, ""].join("\n");
}

function dashed(line: string): string {
  return `  - ${line}`;
}

interface Pruned {
  readonly text: string;
  readonly bytes: number;
}

async function prunedContainers(around: Surroundings, filter: readonly string[]): Promise<Pruned> {
  const answer = await (await around.client()).containers.prune(filtersOf(filter));
  const ids = answer.ContainersDeleted ?? [];
  return { text: ids.length === 0 ? "" : `Deleted Containers:\n${ids.join("\n")}\n`, bytes: answer.SpaceReclaimed };
}

async function prunedNetworks(around: Surroundings, filter: readonly string[]): Promise<Pruned> {
  const answer = await (await around.client()).networks.prune(filtersOf(filter));
  const names = answer.NetworksDeleted ?? [];
  return { text: names.length === 0 ? "" : `Deleted Networks:\n${names.join("\n")}\n`, bytes: 0 };
}

async function prunedVolumes(around: Surroundings, filter: readonly string[]): Promise<Pruned> {
  const answer = await (await around.client()).volumes.prune(filtersOf(filter));
  const names = answer.VolumesDeleted ?? [];
  return {
    text: names.length === 0 ? "" : `Deleted Volumes:\n${names.join("\n")}\n`,
    bytes: answer.SpaceReclaimed,
  };
}

async function prunedBuildCache(around: Surroundings, options: PruneBuildCacheOptions): Promise<Pruned> {
  const answer = await (await around.client()).system.pruneBuildCache(options);
  const ids = answer.CachesDeleted ?? [];
  return {
    text: ids.length === 0 ? "" : `Deleted build cache objects:\n${ids.join("\n")}\n`,
    bytes: answer.SpaceReclaimed,
  };
}

async function prunedImages(around: Surroundings, all: boolean, filter: readonly string[]): Promise<Pruned> {
  const filters = { ...filtersOf(filter), dangling: [all ? "false" : "true"] };
  const answer = await (await around.client()).images.prune(filters);
  const lines = (answer.ImagesDeleted ?? []).map(lineOf);
  return { text: lines.length === 0 ? "" : `Deleted Images:\n${lines.join("\n")}\n`, bytes: answer.SpaceReclaimed };
}

function lineOf(entry: ImageDeleteEntry): string {
  return "Deleted" in entry ? `deleted: ${entry.Deleted}` : `untagged: ${entry.Untagged}`;
}

function imageWarning(all: boolean): string {
  return all
    ? "WARNING! This will remove all images without at least one container associated to them."
    : "WARNING! This will remove all dangling images.";
}

async function report(around: Surroundings, { bytes, text }: Pruned): Promise<void> {
  if (text !== "") await print(around, text);
  await print(around, `Total reclaimed space: ${humanSize(bytes)}`);
}
