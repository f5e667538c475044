import { capabilityNames } from "#host";
import { Fault } from "#core/fault";

/** What a container's root may do unless more or less was asked for; Docker's list (its security documentation). */
export const defaultCapabilities: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

export interface CapabilityWishes {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
}

/**
 * The capabilities of a container, in the kernel's order. What this machine (or the daemon itself) does not have is left
 * out of `ALL` and of privileged containers; asking for it by name is Fault `invalid`, as is an unknown name.
 */
export function resolveCapabilities(wishes: CapabilityWishes, isAvailable: (name: string) => boolean): string[] {
  const available = capabilityNames.filter((name) => isAvailable(name));
  const add = wishes.add.map((name) => checked(name, "CapAdd", isAvailable));
  const drop = new Set(wishes.drop.map((name) => checked(name, "CapDrop", () => true)));
  if (wishes.privileged) return available;
  const everything = add.includes("ALL");
  const base = everything ? available : drop.has("ALL") ? [] : defaultCapabilities;
  // As in Docker, `add` wins over `drop` unless everything was added.
  const wanted = new Set([...base.filter((name) => !drop.has(name)), ...(everything ? [] : add)]);
  return available.filter((name) => wanted.has(name));
}

function checked(text: string, field: string, isAvailable: (name: string) => boolean): string {
  const upper = text.toUpperCase();
  if (upper === "ALL") return upper;
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!capabilityNames.includes(name)) {
    throw new Fault("invalid", `invalid ${field}: unknown capability: "${name.slice(0, 60)}"`);
  }
  if (!isAvailable(name)) {
    throw new Fault(
      "invalid",
      `invalid ${field}: capability not supported by your kernel or not available in the current environment: "${name}"`,
    );
  }
  return name;
}
