import { defineCommand } from "../command.ts";
import { print } from "../surroundings.ts";

/** `slipway port`. */
export const port = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List the published ports of a container",
  flags: {},
  args: [1, 2],
  completes: "running",
  run: async ({ args, around }) => {
    const [name = "", wanted] = args;
    const { NetworkSettings } = await (await around.client()).containers.inspect(name);
    const ports = NetworkSettings.Ports ?? {};
    const key = wanted === undefined || wanted.includes("/") ? wanted : `${wanted}/tcp`;
    if (key !== undefined && ((ports[key] ?? null) === null || ports[key]?.length === 0)) {
      throw new Error(`Error: No public port '${wanted}' published for ${name}`);
    }
    for (const inside of Object.keys(ports).sort(byPort)) {
      if (key !== undefined && inside !== key) continue;
      for (const { HostIp, HostPort } of ports[inside] ?? []) {
        const outside = `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
        await print(around, key === undefined ? `${inside} -> ${outside}` : outside);
      }
    }
    return 0;
  },
});

function byPort(left: string, right: string): number {
  return Number.parseInt(left, 10) - Number.parseInt(right, 10) || (left < right ? -1 : 1);
}
