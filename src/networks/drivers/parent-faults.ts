import { Fault } from "#core/fault";
import type { Network } from "../networks.ts";
import type { MadeParent, ParentKind, ParentPlan } from "./parent-plan.ts";

/**
 * What `ip` said when it was to make a link, in words that tell what to do; other errors as they are.
 *
 * @param making - the kind of link that it was to make
 */
export function kernelFault(
  error: unknown,
  plan: ParentPlan,
  making: MadeParent["kind"] | ParentKind = plan.kind,
): unknown {
  if (!(error instanceof Fault) || error.kind !== "internal") return error;
  const { kind, parent, mode } = plan;
  const says = (...words: readonly string[]): boolean => words.some((word) => error.message.includes(word));
  if (says("Unknown device type", "not supported")) return kindFault(making, error);
  if (says("Cannot find device", "does not exist")) return missingParent(plan, error);
  if (mode === "passthru" && says("Invalid argument")) return takenFault(plan, "another program's link", error);
  if (says("Device or resource busy")) {
    return new Fault("conflict", `failed to create the ${kind} port: device or resource busy`, {
      cause: error,
      remedy: `The interface ${parent} is a port of a bridge or bond, or serves links of another kind (macvlan, ipvlan): choose another, or a VLAN of it (-o parent=${parent}.50).`,
    });
  }
  if (says("Invalid argument")) {
    return new Fault("invalid", `failed to create the ${kind} port: invalid argument`, {
      cause: error,
      remedy: `Such links are made on Ethernet interfaces, and on Wi-Fi: is ${parent} one?`,
    });
  }
  return error;
}

/** Another link on the parent has the address. */
export function takenAddressFault(error: unknown, { kind, parent }: ParentPlan): unknown {
  if (!String(error).includes(addressInUse)) return error;
  return new Fault("conflict", `failed to create the ${kind} port: address already in use`, {
    cause: error,
    remedy:
      kind === "ipvlan"
        ? `Another link on the interface ${parent} has the same address: choose one with --ip.`
        : `The interface ${parent} or another link on it has the same MAC address: choose one with --mac-address.`,
  });
}

/** What `ip` says of an address that another link on the parent has ("… in use", "… assigned to an ipvlan device"). */
export const addressInUse = "Address already";

/** In passthru mode one container alone has the parent. */
export function takenFault({ kind, parent }: ParentPlan, user: string, cause?: Fault): Fault {
  return new Fault("conflict", `failed to create the ${kind} port: device or resource busy`, {
    cause,
    remedy: `With macvlan_mode=passthru one container alone has the interface ${parent}, and ${user} has it.`,
  });
}

/** The kernel knows no such links. */
export function kindFault(kind: ParentKind | MadeParent["kind"], cause: Fault): Fault {
  const [module, remedy] = {
    macvlan: ["macvlan", "use the driver bridge"],
    ipvlan: ["ipvlan", "use the driver macvlan"],
    dummy: ["dummy", "name an interface with -o parent=eth0, or use a bridge network with --internal"],
    vlan: ["8021q", "name an interface without a VLAN: -o parent=eth0"],
  }[kind];
  return new Fault("unsupported", `failed to create the ${kind} link: this kernel has no links of type ${kind}`, {
    cause,
    remedy: `Load the kernel's module (modprobe ${module}) or a kernel that has it; or ${remedy}.`,
  });
}

/** The parent is not there, and its name tells of none that could be made. */
export function missingParent({ parent, made }: ParentPlan, cause?: Fault): Fault {
  const missing = made?.kind === "vlan" ? made.base : parent;
  return new Fault("invalid", `the requested parent interface ${missing} was not found on the Docker host`, {
    cause,
    remedy: `Name one that ip link show lists${missing === parent ? "; a VLAN of it, such as eth0.50, is made where it is missing" : ""}.`,
  });
}

/** In passthru mode a network has its parent for itself. */
export function passthruFault(other: Network, parent: string, mode: string): Fault {
  const uses = `macvlan network ${other.id} is already using parent interface ${parent}`;
  return new Fault(
    "forbidden",
    mode === "passthru" ? `cannot use mode passthru, ${uses}` : `${uses} in mode passthru`,
    {
      remedy: `It is the network ${other.name}: remove it, or choose another interface.`,
    },
  );
}
