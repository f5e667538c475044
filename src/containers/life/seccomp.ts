import { Fault } from "#core/fault";
import { nativePlatform } from "#core/oci";
import { loadSeccompProfile } from "../config/seccomp-profile.ts";
import { type SeccompFacts, seccompText } from "../config/seccomp.ts";
import { parseSecurityOptions } from "../config/security-options.ts";
import type { ContainerSpec } from "../containers.ts";
import type { Room } from "../room.ts";

/**
 * The profile of a container's system call filter as JSON text; undefined for none. A privileged container has one only when it
 * was asked for. Faults `invalid` for a profile that is none, `unsupported` when the kernel has no filters to run one with.
 */
export function seccompOf(
  { host }: Pick<Room, "host">,
  spec: Pick<ContainerSpec, "securityOptions" | "privileged">,
  capabilities: readonly string[],
): string | undefined {
  const { seccomp } = parseSecurityOptions(spec.securityOptions);
  if (seccomp?.kind === "unconfined") return undefined;
  if (!host.machine.seccomp) {
    if (seccomp?.kind !== "custom") return undefined;
    throw new Fault("unsupported", "seccomp is not enabled in your kernel, cannot run a custom seccomp profile");
  }
  const facts: SeccompFacts = {
    architecture: nativePlatform().architecture,
    kernelVersion: host.machine.kernelVersion,
    capabilities,
  };
  if (seccomp?.kind === "custom") {
    const profile = loadSeccompProfile(seccomp.text, facts);
    return profile === undefined ? undefined : JSON.stringify(profile);
  }
  return spec.privileged && seccomp === undefined ? undefined : seccompText(facts);
}
