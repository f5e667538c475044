import { defineCommand } from "../command.ts";
import { toggle } from "../flags/flag.ts";
import { print } from "../surroundings.ts";

/** `slipway port`. */
export const port = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List the published ports of a container",
  description: "What docker port prints; with --exposure, for each also who reaches it.",
  flags: { exposure: toggle("Also tell who reaches each port") },
  args: [1, 2],
  completes: "running",
  run: async ({ args, around, values }) => {
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
        const line = key === undefined ? `${inside} -> ${outside}` : outside;
        const exposed = NetworkSettings.SlipwayExposed?.includes(inside) === true;
        await print(around, values.exposure ? `${line}  ${exposureOf(HostIp, HostPort, exposed)}` : line);
      }
    }
    return 0;
  },
});

function exposureOf(hostIp: string, hostPort: string, exposed: boolean): string {
  if (hostPort === "") return "by the container's own address, as the host's firewall forwards";
  if (hostIp.startsWith("127.") || hostIp === "::1") return "this host alone";
  return exposed ? "everybody, whatever the host's firewall says" : "everybody whom the host's firewall lets in";
}

function byPort(left: string, right: string): number {
  return Number.parseInt(left, 10) - Number.parseInt(right, 10) || (left < right ? -1 : 1);
}
