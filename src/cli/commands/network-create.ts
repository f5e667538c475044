import { defineCommand } from "../command.ts";
import { list, text, toggle, words } from "../flags/flag.ts";
import { networkCreateRequest } from "../request/network.ts";
import { print, write } from "../surroundings.ts";

/** `slipway network create`. */
export const networkCreate = defineCommand({
  usage: "[OPTIONS] NETWORK",
  summary: "Create a network",
  description:
    "Containers in one network find each other by their names. Without --subnet the engine takes free addresses. " +
    "Drivers: bridge; macvlan and ipvlan put containers into the network that an interface of the host is in (-o parent=eth0).",
  examples: [
    ["slipway network create app", "A network for the containers of an application"],
    ["slipway network create --internal --subnet 10.9.0.0/24 vault", "Addresses of your own, and no way out"],
    [
      "slipway network create -d macvlan --subnet 192.168.1.0/24 --gateway 192.168.1.1 --ip-range 192.168.1.192/27 -o parent=eth0 lan",
      "Containers as machines of the network that eth0 is in",
    ],
  ],
  flags: {
    attachable: toggle("Let containers be put into it by hand (networks of a swarm)"),
    "aux-address": list("Address that is not the engine's to give: NAME=IP", { typeName: "map" }),
    "config-from": text("Network to take the configuration from (swarm)"),
    "config-only": toggle("Make a configuration alone (swarm)"),
    driver: text("Driver of the network: bridge, macvlan or ipvlan", { short: "d", initial: "bridge" }),
    gateway: words("IPv4 or IPv6 gateway of the subnet"),
    ingress: toggle("Make a swarm's ingress network"),
    internal: toggle("Its containers reach each other and nothing else"),
    "ip-range": words("Part of the subnet that containers' addresses are taken from"),
    "ipam-driver": text("Driver of the addresses", { initial: "default" }),
    "ipam-opt": list("Option of the addresses' driver", { typeName: "map" }),
    ipv4: toggle("Give containers IPv4 addresses", { initial: true }),
    ipv6: toggle("Give containers IPv6 addresses"),
    label: list("Set a label"),
    opt: list("Option of the driver: parent=eth0, macvlan_mode=…, com.docker.network.driver.mtu=1400 …", {
      short: "o",
      typeName: "map",
    }),
    scope: text("Scope of the network"),
    subnet: words("Subnet, such as 10.9.0.0/24"),
  },
  args: [1, 1],
  run: async ({ args, around, changed, values }) => {
    const request = networkCreateRequest(args[0] ?? "", values, changed);
    const { Id: id, Warning: warning } = await (await around.client()).networks.create(request);
    if (warning !== "") await write(around.stderr, `WARNING: ${warning}\n`);
    await print(around, id);
    return 0;
  },
});
