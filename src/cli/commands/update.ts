import type { ContainerUpdateRequest } from "#api/client";
import { defineCommand } from "../command.ts";
import { forEach } from "../each.ts";
import { type FlagValues, text } from "../flags/flag.ts";
import { containerFlags } from "../request/container-flags.ts";
import { readRestartPolicy } from "../request/restart-policy.ts";

const flags = {
  "blkio-weight": containerFlags["blkio-weight"],
  "cpu-period": containerFlags["cpu-period"],
  "cpu-quota": containerFlags["cpu-quota"],
  "cpu-rt-period": containerFlags["cpu-rt-period"],
  "cpu-rt-runtime": containerFlags["cpu-rt-runtime"],
  "cpu-shares": containerFlags["cpu-shares"],
  cpus: containerFlags.cpus,
  "cpuset-cpus": containerFlags["cpuset-cpus"],
  "cpuset-mems": containerFlags["cpuset-mems"],
  "kernel-memory": containerFlags["kernel-memory"],
  memory: containerFlags.memory,
  "memory-reservation": containerFlags["memory-reservation"],
  "memory-swap": containerFlags["memory-swap"],
  "pids-limit": containerFlags["pids-limit"],
  restart: text("What to do when it exits: no, always, unless-stopped, on-failure[:times]"),
};

/** `slipway update`. */
export const update = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Change limits and restart policy of containers",
  description: "Those of running containers change at once. -1 lifts --memory-swap, --cpu-quota and --pids-limit.",
  examples: [
    ["slipway update --memory 512m --memory-swap 1g web", "Give it more memory"],
    ["slipway update --restart unless-stopped web db", "Start them again when they end"],
  ],
  flags,
  args: [1, Infinity],
  completes: "containers",
  run: async ({ args, around, changed, values }) => {
    if (changed.size === 0) throw new Error("you must provide one or more flags when using this command");
    const request = updateRequest(values);
    const { containers } = await around.client();
    return await forEach(around, args, async (name) => {
      const { Warnings: warnings } = await containers.update(name, request);
      return [name, ...(warnings ?? [])].join("\n");
    });
  },
});

/** What was not given is zero or empty, which changes nothing. */
function updateRequest(values: FlagValues<typeof flags>): ContainerUpdateRequest {
  return {
    BlkioWeight: values["blkio-weight"],
    CpuPeriod: values["cpu-period"],
    CpuQuota: values["cpu-quota"],
    CpuRealtimePeriod: values["cpu-rt-period"],
    CpuRealtimeRuntime: values["cpu-rt-runtime"],
    CpuShares: values["cpu-shares"],
    NanoCpus: values.cpus,
    CpusetCpus: values["cpuset-cpus"],
    CpusetMems: values["cpuset-mems"],
    Memory: values.memory,
    MemoryReservation: values["memory-reservation"],
    MemorySwap: values["memory-swap"],
    ...(values["pids-limit"] !== 0 && { PidsLimit: values["pids-limit"] }),
    RestartPolicy: readRestartPolicy(values.restart),
  };
}
