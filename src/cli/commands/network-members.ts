import { defineCommand } from "../command.ts";
import { integer, list, text, toggle, words } from "../flags/flag.ts";
import { checkLink, ipamOf } from "../request/endpoints.ts";

/** `slipway network connect`. */
export const networkConnect = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Connect a container to a network",
  description: "A running container is in it at once, any other with its next start.",
  examples: [["slipway network connect --alias db app store", "The container store is known as db in app"]],
  flags: {
    alias: words("Another name of the container in this network"),
    "driver-opt": words("Option of the driver"),
    "gw-priority": integer("The network with the highest has the default route; negative ones too"),
    ip: text("IPv4 address (such as 172.30.100.104)"),
    ip6: text("IPv6 address (such as 2001:db8::33)"),
    link: list("Add a link to another container", { check: checkLink }),
    "link-local-ip": words("Link-local address of the container"),
  },
  args: [2, 2],
  completes: ["networks", "containers"],
  run: async ({ args, around, values }) => {
    const [network = "", container = ""] = args;
    const options = driverOptions(values["driver-opt"]);
    await (
      await around.client()
    ).networks.connect(network, container, {
      ...ipamOf(values.ip, values.ip6, values["link-local-ip"]),
      ...(values.link.length > 0 && { Links: values.link }),
      ...(values.alias.length > 0 && { Aliases: values.alias }),
      ...(Object.keys(options).length > 0 && { DriverOpts: options }),
      ...(values["gw-priority"] !== 0 && { GwPriority: values["gw-priority"] }),
    });
    return 0;
  },
});

/** `slipway network disconnect`. */
export const networkDisconnect = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Disconnect a container from a network",
  flags: { force: toggle("Do so even if the container is gone", { short: "f" }) },
  args: [2, 2],
  completes: ["networks", "containers"],
  run: async ({ args, around, values }) => {
    const [network = "", container = ""] = args;
    await (await around.client()).networks.disconnect(network, container, { force: values.force });
    return 0;
  },
});

function driverOptions(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const [name = "", value] = item.split(/=(.*)/s, 2);
      if (value === undefined) throw new Error("invalid key/value pair format in driver options");
      return [name.trim(), value.trim()];
    }),
  );
}
