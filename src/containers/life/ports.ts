import type { Monitor } from "#host";
import { isFault } from "#core/fault";
import type { Networks } from "#networks";

/** Tells a running container's monitor where its published ports lead now. */
export async function leadPorts(
  { networks }: { readonly networks: Pick<Networks, "heldPortsOf"> },
  id: string,
  monitor: Pick<Monitor, "leadPorts">,
): Promise<void> {
  const ports = networks.heldPortsOf(id);
  if (ports.length === 0) return;
  try {
    await monitor.leadPorts(ports);
  } catch (error) {
    // One that an earlier version of ours started knows no such request, and holds no ports; one that ends needs none.
    if (!isFault(error, "invalid") && !isFault(error, "unavailable")) throw error;
  }
}
