import type { ImageDeleteEntry } from "#api/client";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterFlag, filtersOf } from "../filter-flag.ts";
import { toggle } from "../flags/flag.ts";
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
    if (!values.force) await confirm(around, `WARNING! This will remove ${networkWarning}.`);
    const text = await prunedNetworks(around, values.filter);
    if (text !== "") await print(around, text);
    return 0;
  },
});

const networkWarning = "all custom networks not used by at least one container";

/** `slipway system prune`. */
export const pruneSystem = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove stopped containers, unused networks and images",
  flags: {
    all: toggle("Remove every image that no container uses, not only those without a name", { short: "a" }),
    filter: filterFlag("Only what fits: until=24h, label=…", { short: false }),
    force,
    volumes: toggle("Remove anonymous volumes too"),
  },
  args: [0, 0],
  run: async ({ around, values }) => {
    if (values.volumes) throw new Error("--volumes is not supported yet");
    if (!values.force) {
      const networks = `WARNING! This will remove ${networkWarning}.`;
      await confirm(
        around,
        `WARNING! This will remove all stopped containers.\n${networks}\n${imageWarning(values.all)}`,
      );
    }
    const containers = await prunedContainers(around, values.filter);
    const networks = await prunedNetworks(around, values.filter);
    const images = await prunedImages(around, values.all, values.filter);
    const text = [containers.text, networks, images.text].filter((part) => part !== "").join("\n");
    await report(around, { text, bytes: containers.bytes + images.bytes });
    return 0;
  },
});

interface Pruned {
  readonly text: string;
  readonly bytes: number;
}

async function prunedContainers(around: Surroundings, filter: readonly string[]): Promise<Pruned> {
  const answer = await (await around.client()).containers.prune(filtersOf(filter));
  const ids = answer.ContainersDeleted ?? [];
  return { text: ids.length === 0 ? "" : `Deleted Containers:\n${ids.join("\n")}\n`, bytes: answer.SpaceReclaimed };
}

async function prunedNetworks(around: Surroundings, filter: readonly string[]): Promise<string> {
  const answer = await (await around.client()).networks.prune(filtersOf(filter));
  const names = answer.NetworksDeleted ?? [];
  return names.length === 0 ? "" : `Deleted Networks:\n${names.join("\n")}\n`;
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
