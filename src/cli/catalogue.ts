import type { Command } from "./command.ts";

/** A command's place in the tree; its code is loaded only when it runs. */
export interface Entry {
  readonly summary: string;
  /** The heading in `slipway --help`; absent: only under its group. */
  readonly heading?: "Common Commands" | "Commands";
  readonly load: () => Promise<Command>;
  /** Other names of the same command, full. */
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
}

/** Groups such as `slipway container`, with what they are for. */
export const groups: Readonly<Record<string, string>> = {
  builder: "Build images, and manage the build cache",
  container: "Manage containers",
  image: "Manage images",
  network: "Manage networks",
  system: "Look at the engine, and clean up",
  volume: "Manage volumes",
};

/** Docker's commands that are still to come: said so, and not taken for a slip of the fingers. */
export const coming: ReadonlySet<string> = new Set([
  ..."buildx compose config context manifest node plugin search".split(" "),
  ..."secret service stack swarm trust".split(" "),
]);

/** Every command by its full name without `slipway`. */
export const catalogue: Readonly<Record<string, Entry>> = {
  run: top(
    "Common Commands",
    "Create and run a new container from an image",
    "container run",
    async () => (await import("./commands/run.ts")).run,
  ),
  exec: top(
    "Common Commands",
    "Run a command in a running container",
    "container exec",
    async () => (await import("./commands/exec.ts")).exec,
  ),
  build: {
    ...top(
      "Common Commands",
      "Build an image from a Dockerfile",
      "image build",
      async () => (await import("./commands/build.ts")).build,
    ),
    aliases: ["image build", "builder build"],
  },
  ps: {
    ...top("Common Commands", "List containers", "container ls", async () => (await import("./commands/ps.ts")).ps),
    aliases: ["container ls", "container list", "container ps"],
  },
  pull: top(
    "Common Commands",
    "Download an image from a registry",
    "image pull",
    async () => (await import("./commands/pull.ts")).pull,
  ),
  push: top(
    "Common Commands",
    "Upload an image to a registry",
    "image push",
    async () => (await import("./commands/push.ts")).push,
  ),
  images: {
    ...top("Common Commands", "List images", "image ls", async () => (await import("./commands/images.ts")).images),
    aliases: ["image ls", "image list"],
  },
  logs: top(
    "Common Commands",
    "Show the output of a container",
    "container logs",
    async () => (await import("./commands/logs.ts")).logs,
  ),
  version: {
    summary: "Show the versions of client and engine",
    heading: "Common Commands",
    load: async () => (await import("./commands/version.ts")).version,
  },
  info: top(
    "Common Commands",
    "Show facts of the engine and its machine",
    "system info",
    async () => (await import("./commands/info.ts")).info,
  ),
  doctor: {
    summary: "Check this machine, and say what to mend",
    heading: "Common Commands",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  attach: top(
    "Commands",
    "Connect the terminal to a running container",
    "container attach",
    async () => (await import("./commands/attach.ts")).attach,
  ),
  create: top(
    "Commands",
    "Create a container without starting it",
    "container create",
    async () => (await import("./commands/create.ts")).create,
  ),
  start: top(
    "Commands",
    "Start stopped containers",
    "container start",
    async () => (await import("./commands/start.ts")).start,
  ),
  stop: top(
    "Commands",
    "Stop running containers",
    "container stop",
    async () => (await import("./commands/lifecycle.ts")).stop,
  ),
  restart: top(
    "Commands",
    "Stop containers and start them again",
    "container restart",
    async () => (await import("./commands/lifecycle.ts")).restart,
  ),
  kill: top(
    "Commands",
    "Send a signal to running containers",
    "container kill",
    async () => (await import("./commands/lifecycle.ts")).kill,
  ),
  pause: top(
    "Commands",
    "Freeze all processes of containers",
    "container pause",
    async () => (await import("./commands/lifecycle.ts")).pause,
  ),
  unpause: top(
    "Commands",
    "Thaw the processes of paused containers",
    "container unpause",
    async () => (await import("./commands/lifecycle.ts")).unpause,
  ),
  rm: {
    ...top("Commands", "Remove containers", "container rm", async () => (await import("./commands/rm.ts")).rm),
    aliases: ["container rm", "container remove"],
  },
  wait: top(
    "Commands",
    "Wait until containers stop, and print their exit codes",
    "container wait",
    async () => (await import("./commands/wait.ts")).wait,
  ),
  top: top(
    "Commands",
    "Show the processes of a container",
    "container top",
    async () => (await import("./commands/top.ts")).top,
  ),
  update: top(
    "Commands",
    "Change limits and restart policy of containers",
    "container update",
    async () => (await import("./commands/update.ts")).update,
  ),
  stats: top(
    "Commands",
    "Show what containers use, live",
    "container stats",
    async () => (await import("./commands/stats.ts")).stats,
  ),
  diff: top(
    "Commands",
    "Show what a container changed in its file system",
    "container diff",
    async () => (await import("./commands/diff.ts")).diff,
  ),
  rename: top(
    "Commands",
    "Give a container another name",
    "container rename",
    async () => (await import("./commands/rename.ts")).rename,
  ),
  port: top(
    "Commands",
    "List the published ports of a container",
    "container port",
    async () => (await import("./commands/port.ts")).port,
  ),
  inspect: {
    summary: "Show everything that is known of containers, images, networks or volumes",
    heading: "Commands",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  events: top(
    "Commands",
    "Follow what happens in the engine",
    "system events",
    async () => (await import("./commands/events.ts")).events,
  ),
  cp: top(
    "Commands",
    "Copy files between a container and this machine",
    "container cp",
    async () => (await import("./commands/cp.ts")).cp,
  ),
  commit: top(
    "Commands",
    "Make an image of a container's changes",
    "container commit",
    async () => (await import("./commands/commit.ts")).commit,
  ),
  export: top(
    "Commands",
    "Write a container's files to a tar archive or stdout",
    "container export",
    async () => (await import("./commands/export.ts")).exportContainer,
  ),
  history: top(
    "Commands",
    "Show the steps that made an image",
    "image history",
    async () => (await import("./commands/history.ts")).history,
  ),
  load: top(
    "Commands",
    "Load images from a tar archive or stdin",
    "image load",
    async () => (await import("./commands/load.ts")).load,
  ),
  save: top(
    "Commands",
    "Save images to a tar archive or stdout",
    "image save",
    async () => (await import("./commands/save.ts")).save,
  ),
  import: top(
    "Commands",
    "Make an image from the tar archive of a root filesystem",
    "image import",
    async () => (await import("./commands/import.ts")).importImage,
  ),
  tag: top("Commands", "Give an image another name", "image tag", async () => (await import("./commands/tag.ts")).tag),
  rmi: {
    ...top("Commands", "Remove images", "image rm", async () => (await import("./commands/rmi.ts")).rmi),
    aliases: ["image rm", "image remove"],
  },
  login: {
    summary: "Log in to a registry",
    heading: "Commands",
    load: async () => (await import("./commands/login.ts")).login,
  },
  logout: {
    summary: "Log out from a registry",
    heading: "Commands",
    load: async () => (await import("./commands/logout.ts")).logout,
  },
  completion: {
    summary: "Print the completion script for a shell",
    heading: "Commands",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  daemon: {
    summary: "Run the engine",
    heading: "Commands",
    load: async () => (await import("./commands/daemon.ts")).daemon,
  },
  "build history": {
    summary: "List builds that run and that were",
    aliases: ["build history ls"],
    load: async () => (await import("./commands/build-history.ts")).buildHistory,
  },
  "build history inspect": {
    summary: "Show everything that is known of builds",
    load: async () => (await import("./commands/build-history.ts")).inspectBuilds,
  },
  "build history rm": {
    summary: "Forget builds",
    load: async () => (await import("./commands/build-history.ts")).removeBuilds,
  },
  "build explain-ignore": {
    summary: "Say which line of .dockerignore decides about paths",
    load: async () => (await import("./commands/explain-ignore.ts")).explainIgnored,
  },
  "builder du": {
    summary: "Show what the build cache consists of",
    load: async () => (await import("./commands/builder-du.ts")).cacheUsage,
  },
  "builder prune": {
    summary: "Remove the build cache",
    load: async () => (await import("./commands/prune.ts")).pruneBuilder,
  },
  "container inspect": {
    summary: "Show everything that is known of containers",
    load: async () => (await import("./commands/inspect.ts")).inspectContainers,
  },
  "container prune": {
    summary: "Remove all stopped containers",
    load: async () => (await import("./commands/prune.ts")).pruneContainers,
  },
  "image inspect": {
    summary: "Show everything that is known of images",
    load: async () => (await import("./commands/inspect.ts")).inspectImages,
  },
  "image prune": {
    summary: "Remove unused images",
    load: async () => (await import("./commands/prune.ts")).pruneImages,
  },
  "network connect": {
    summary: "Connect a container to a network",
    load: async () => (await import("./commands/network-members.ts")).networkConnect,
  },
  "network create": {
    summary: "Create a network",
    load: async () => (await import("./commands/network-create.ts")).networkCreate,
  },
  "network disconnect": {
    summary: "Disconnect a container from a network",
    load: async () => (await import("./commands/network-members.ts")).networkDisconnect,
  },
  "network ls": {
    summary: "List networks",
    aliases: ["network list"],
    load: async () => (await import("./commands/network-ls.ts")).networkList,
  },
  "network inspect": {
    summary: "Show everything that is known of networks",
    load: async () => (await import("./commands/inspect.ts")).inspectNetworks,
  },
  "network prune": {
    summary: "Remove all unused networks",
    load: async () => (await import("./commands/prune.ts")).pruneNetworks,
  },
  "network rm": {
    summary: "Remove one or more networks",
    aliases: ["network remove"],
    load: async () => (await import("./commands/network-rm.ts")).networkRemove,
  },
  "system df": {
    summary: "Show the room that images, containers, volumes and the build cache take",
    load: async () => (await import("./commands/df.ts")).diskUsage,
  },
  "system check": {
    summary: "Check everything that is stored against its digests and records",
    load: async () => (await import("./commands/check.ts")).check,
  },
  "system gc": {
    summary: "Keep to the disk budget: remove what was not used for longest",
    load: async () => (await import("./commands/gc.ts")).collect,
  },
  "system prune": {
    summary: "Remove stopped containers, unused networks and images, and the build cache",
    load: async () => (await import("./commands/prune.ts")).pruneSystem,
  },
  "volume create": {
    summary: "Create a volume",
    load: async () => (await import("./commands/volume-create.ts")).volumeCreate,
  },
  "volume inspect": {
    summary: "Show everything that is known of volumes",
    load: async () => (await import("./commands/inspect.ts")).inspectVolumes,
  },
  "volume ls": {
    summary: "List volumes",
    aliases: ["volume list"],
    load: async () => (await import("./commands/volume-ls.ts")).volumeList,
  },
  "volume prune": {
    summary: "Remove unused local volumes",
    load: async () => (await import("./commands/volume-prune.ts")).volumePrune,
  },
  "volume rm": {
    summary: "Remove one or more volumes",
    aliases: ["volume remove"],
    load: async () => (await import("./commands/volume-rm.ts")).volumeRemove,
  },
  "volume update": {
    summary: "Update a volume (cluster volumes only)",
    load: async () => (await import("./commands/volume-create.ts")).volumeUpdate,
  },
  resolver: {
    summary: "Answer the names of a daemon's containers",
    hidden: true,
    load: async () => (await import("./commands/resolver.ts")).resolver,
  },
  __complete: {
    summary: "Answer a shell's completion request",
    hidden: true,
    load: async () => (await import("./commands/completion.ts")).complete,
  },
};

/** The entry for a full name or alias: `ps`, `container ls`. */
export function findEntry(name: string): Entry | undefined {
  if (Object.hasOwn(catalogue, name)) return catalogue[name];
  return Object.values(catalogue).find((entry) => entry.aliases?.includes(name));
}

function top(
  heading: "Common Commands" | "Commands",
  summary: string,
  alias: string,
  load: () => Promise<Command>,
): Entry {
  return { summary, heading, load, aliases: [alias] };
}
