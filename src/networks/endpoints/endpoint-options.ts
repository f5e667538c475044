import { Fault } from "#core/fault";
import { isLinkName } from "../links/link-name.ts";

const ifnameOption = "com.docker.network.endpoint.ifname";
const sysctlsOption = "com.docker.network.endpoint.sysctls";

/** Checks an endpoint's driver options. Fault `invalid`. */
export function checkEndpointOptions(options: Readonly<Record<string, string>>): void {
  const name = options[ifnameOption];
  if (name !== undefined && !isLinkName(name)) {
    throw new Fault("invalid", `invalid interface name ${JSON.stringify(name)} in ${ifnameOption}`, {
      remedy: "An interface's name has 1 to 15 letters, digits and _ . @ + -",
    });
  }
  endpointSettings(options, "eth0");
}

/** The kernel settings of the endpoint's interface, by keys with slashes. */
export function endpointSettings(
  options: Readonly<Record<string, string>>,
  interfaceName: string,
): Readonly<Record<string, string>> {
  const text = options[sysctlsOption] ?? "";
  if (text === "") return {};
  return Object.fromEntries(text.split(",").map((setting) => settingOf(setting, interfaceName)));
}

/** `net.ipv4.conf.IFNAME.log_martians=1`: of the endpoint's own interface, and nothing else. */
function settingOf(setting: string, interfaceName: string): [string, string] {
  const [, family, table, key, value] =
    /^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.IFNAME\.(\w{1,50})=(-?\w{1,20})$/.exec(setting) ?? [];
  if (family === undefined || table === undefined || key === undefined || value === undefined) {
    throw new Fault("invalid", `invalid network sysctl ${JSON.stringify(setting.slice(0, 100))} in ${sysctlsOption}`, {
      remedy: "Write net.ipv4.conf.IFNAME.KEY=VALUE (also ipv6 or mpls, and neigh), several separated by commas.",
    });
  }
  return [`net/${family}/${table}/${interfaceName}/${key}`, value];
}
