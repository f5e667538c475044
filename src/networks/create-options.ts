import { parseGoBoolean } from "#core/go-boolean";
import { Fault } from "#core/fault";
import { isIP } from "node:net";
import { bridgeOption } from "./links/bridge-plan.ts";
import { isLinkName } from "./links/link-name.ts";

const booleans: ReadonlySet<string> = new Set([
  bridgeOption.defaultBridge,
  bridgeOption.talk,
  bridgeOption.masquerade,
  bridgeOption.inhibitIpv4,
]);
const gatewayModes = ["nat", "nat-unprotected", "routed", "isolated"];

/** Checks the bridge driver's options. Fault `invalid`; answers a warning for each of Docker's options that does nothing here. */
export function checkBridgeOptions(options: Readonly<Record<string, string>>, internal: boolean): string[] {
  for (const [key, value] of Object.entries(options)) checkOption(key, value, internal);
  const known = new Set<string>(Object.values(bridgeOption));
  return Object.keys(options)
    .filter((key) => key.startsWith("com.docker.network.") && !known.has(key))
    .map((key) => `The option ${key} is not known, and does nothing.`);
}

function checkOption(key: string, value: string, internal: boolean): void {
  if (booleans.has(key) && parseGoBoolean(value) === undefined) {
    throw new Fault("invalid", `invalid value ${JSON.stringify(value)} of ${key}: it is true or false`);
  }
  if (key === bridgeOption.name && !isLinkName(value)) {
    throw new Fault("invalid", `invalid bridge name ${JSON.stringify(value)}`, {
      remedy: "An interface's name has 1 to 15 letters, digits and _ . @ + -",
    });
  }
  if (key === bridgeOption.interfacePrefix && !/^[A-Za-z][\w.-]{0,9}$/.test(value)) {
    throw new Fault("invalid", `invalid prefix of interfaces ${JSON.stringify(value)}`);
  }
  if (key === bridgeOption.mtu && !(/^\d{1,5}$/.test(value) && Number(value) >= 68 && Number(value) <= 65_535)) {
    throw new Fault("invalid", `invalid MTU ${JSON.stringify(value)}: it is a number from 68 to 65535`);
  }
  if (key === bridgeOption.hostBinding && isIP(value) !== 4) {
    throw new Fault("invalid", `invalid IPv4 address ${JSON.stringify(value)} of ${key}`);
  }
  if (key === bridgeOption.gatewayMode4 || key === bridgeOption.gatewayMode6) {
    if (!gatewayModes.includes(value)) {
      throw new Fault(
        "invalid",
        `unknown gateway mode ${JSON.stringify(value)}: it is one of ${gatewayModes.join(", ")}`,
      );
    }
    if (value === "isolated" && !internal) {
      throw new Fault("invalid", "gateway mode 'isolated' can only be used for an internal network");
    }
  }
}
