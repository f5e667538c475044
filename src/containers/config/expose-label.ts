import { Fault } from "#core/fault";
import type { PortProtocol } from "#networks";

/** The label by which a container says which of its published ports are open whatever the host's own firewall says. */
export const exposeLabel = "io.slipway.expose";

/** Whether a port of the container is open whatever the host's firewall says. */
export type Exposure = (containerPort: number, protocol: PortProtocol) => boolean;

/**
 * Reads the label: `all`, `none`, or container ports such as `80,53/udp,8000-8010`. Undefined where there is none: the daemon's
 * setting counts. Labels of the image have no say.
 */
export function readExposeLabel(labels: Readonly<Record<string, string>>): Exposure | undefined {
  const text = labels[exposeLabel]?.trim();
  if (text === undefined) return undefined;
  if (text === "all" || text === "none") return () => text === "all";
  const ranges = text.split(",").map((item) => readRange(item.trim()));
  return (port, protocol) =>
    ranges.some((range) => range.protocol === protocol && range.first <= port && port <= range.last);
}

function readRange(item: string): { first: number; last: number; protocol: string } {
  const [, from = "", to = from, protocol = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(item) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first > 0 && first <= last && last <= 65_535) return { first, last, protocol };
  throw new Fault("invalid", `invalid value of the label ${exposeLabel}: ${JSON.stringify(item.slice(0, 100))}`, {
    remedy: "Give container ports such as 80,53/udp,8000-8010, or one of the words all and none.",
  });
}
