import type { Machine } from "#host";
import { Fault } from "#core/fault";
import type { Ulimit } from "../containers.ts";
import type { RuntimeRlimit } from "./runtime-spec.ts";

/** What the machine lets its children have. */
export type UlimitFacts = Pick<Machine, "hardLimit" | "hasCapability">;

/** Fault `invalid` in Docker's words for a ulimit that is none; warns of those that this daemon may not raise so high. */
export function checkUlimits(ulimits: readonly Ulimit[], machine: UlimitFacts): string[] {
  for (const { name, soft, hard } of ulimits) {
    if (!names.has(name)) throw new Fault("invalid", `invalid ulimit type: ${name.slice(0, 50)}`);
    if (soft < -1 || hard < -1) throw new Fault("invalid", `invalid ulimit ${name}: ${soft}:${hard}`);
    if (hard === -1 || (soft !== -1 && soft <= hard)) continue;
    const reason = soft === -1 ? `soft: -1 (unlimited), hard: ${hard}` : `${soft} > ${hard}`;
    throw new Fault("invalid", `ulimit soft limit must be less than or equal to hard limit: ${reason}`);
  }
  if (machine.hasCapability("CAP_SYS_RESOURCE")) return [];
  return ulimits
    .filter(({ name, hard }) => valueOf(hard) > machine.hardLimit(name))
    .map(
      ({ name }) =>
        `The daemon may not raise ulimit ${name} above its own ${machine.hardLimit(name)} (it lacks CAP_SYS_RESOURCE). That is used.`,
    );
}

/** A container's rlimits: its own, and those of the daemon that it does not name; none above what this daemon may give. */
export function runtimeRlimits(
  own: readonly Ulimit[],
  defaults: readonly Ulimit[],
  machine: UlimitFacts,
): RuntimeRlimit[] {
  const byName = new Map([...defaults, ...own].map((ulimit) => [ulimit.name, ulimit]));
  return [...byName.values()].map(({ name, soft, hard }) => {
    const highest = machine.hasCapability("CAP_SYS_RESOURCE") ? Number.POSITIVE_INFINITY : machine.hardLimit(name);
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: numberOf(Math.min(valueOf(soft), highest)),
      hard: numberOf(Math.min(valueOf(hard), highest)),
    };
  });
}

const names = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

function valueOf(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}

function numberOf(value: number): RuntimeRlimit["soft"] {
  return value === Number.POSITIVE_INFINITY ? unlimited : value;
}

/** TypeScript 7 does not know of it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): object };
/** RLIM_INFINITY, which is larger than a JavaScript number is exact. */
const unlimited = rawJSON("18446744073709551615");
