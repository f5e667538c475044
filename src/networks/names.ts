import { randomBytes } from "node:crypto";

/** What the links and the table of one daemon instance are called; no two instances share a name. */
export interface InstanceNames {
  /** nftables table of family inet. */
  readonly table: string;
  /** Default bridge: `slipway0`, or `slw-` and the instance's digits. */
  readonly bridge: string;
  /** Written on the bridge as its alias: we only ever remove a bridge that carries it. */
  readonly bridgeAlias: string;
  /** The same for the bridge of the network of that id. */
  aliasOf(networkId: string): string;
  /** Written on the parents of macvlan and ipvlan networks that we made. */
  readonly parentAlias: string;
  /** Whether a link with that alias is this instance's. */
  isOwnAlias(alias: string): boolean;
  /** A new name for the host's end of a veth pair, 15 characters. */
  newLink(): string;
  /** Whether the link's name is one that `newLink` of this instance gave. */
  isOwnLink(name: string): boolean;
}

/** Derives the names from `Paths.instance` (`slipway`, or `slipway-` and six hex digits). */
export function namesOf(instance: string): InstanceNames {
  const digits = /^slipway-([0-9a-f]{6})$/.exec(instance)?.[1];
  const prefix = digits === undefined ? "slipway-" : `slw${digits}`;
  const freeDigits = 15 - prefix.length;
  return {
    table: instance,
    bridge: digits === undefined ? "slipway0" : `slw-${digits}`,
    bridgeAlias: `default bridge of ${instance}`,
    aliasOf: (networkId) => `network ${networkId} of ${instance}`,
    parentAlias: `network parent of ${instance}`,
    isOwnAlias: (alias) =>
      alias === `default bridge of ${instance}` || (alias.startsWith("network ") && alias.endsWith(` of ${instance}`)),
    newLink: () => prefix + randomBytes(4).toString("hex").slice(0, freeDigits),
    isOwnLink: (name) => name.startsWith(prefix) && /^[0-9a-f]+$/.test(name.slice(prefix.length)) && name.length === 15,
  };
}
