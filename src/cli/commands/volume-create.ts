import { defineCommand } from "../command.ts";
import { bytes, list, text } from "../flags/flag.ts";
import { print } from "../surroundings.ts";
import { pairsOf } from "../request/env.ts";

const cluster = "(volumes of a swarm)";

/** `slipway volume create`. */
export const volumeCreate = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  summary: "Create a volume",
  description:
    "A volume keeps files that outlive their container. Without a name it gets one of its own and counts as anonymous.",
  examples: [
    ["slipway volume create data", "A folder of the engine's"],
    ["slipway volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch", "In memory, for those who use it"],
    ["slipway volume create -o type=nfs -o o=addr=192.0.2.1,rw -o device=:/export share", "Of a file server"],
  ],
  flags: {
    availability: text(`Whether it can be used: active, pause, drain ${cluster}`, { initial: "active" }),
    driver: text("Driver of the volume", { short: "d", initial: "local" }),
    group: text(`Group of the volume ${cluster}`),
    label: list("Set a label"),
    "limit-bytes": bytes(`Most bytes ${cluster}`),
    opt: list("Option of the driver, such as type=tmpfs", { short: "o", typeName: "map" }),
    "required-bytes": bytes(`Least bytes ${cluster}`),
    scope: text(`Who may have it at once: single, multi ${cluster}`, { initial: "single" }),
    secret: list(`Secrets ${cluster}`, { typeName: "map" }),
    sharing: text(`How it is shared: none, readonly, onewriter, all ${cluster}`, { initial: "none" }),
    "topology-preferred": list(`Where it had better be ${cluster}`),
    "topology-required": list(`Where it has to be ${cluster}`),
    type: text(`What containers get: mount, block ${cluster}`, { initial: "block" }),
  },
  args: [0, 1],
  run: async ({ args, around, changed, values }) => {
    const ofSwarm = swarmFlags.find((flag) => changed.has(flag));
    if (ofSwarm !== undefined) throw new Error(`--${ofSwarm} is for volumes of a swarm, which this engine is not in`);
    const { Name } = await (
      await around.client()
    ).volumes.create({
      Name: args[0] ?? "",
      Driver: values.driver,
      DriverOpts: pairsOf(values.opt),
      Labels: pairsOf(values.label),
    });
    await print(around, Name);
    return 0;
  },
});

/** `slipway volume update`. */
export const volumeUpdate = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  summary: "Update a volume (cluster volumes only)",
  flags: { availability: text(`Whether it can be used: active, pause, drain ${cluster}`, { initial: "active" }) },
  args: [1, 1],
  completes: "volumes",
  run: async ({ args, around, values }) => {
    const spec = { Spec: { Availability: values.availability } };
    await (await around.client()).volumes.update(args[0] ?? "", { version: 0 }, spec);
    return 0;
  },
});

const swarmFlags: readonly string[] =
  "availability group limit-bytes required-bytes scope secret sharing topology-preferred topology-required type".split(
    " ",
  );
