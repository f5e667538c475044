import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "#core/fault";
import type { HeldPort, Monitor } from "#host";
import type { Networks } from "#networks";
import { leadPorts } from "./ports.ts";

const ports: readonly HeldPort[] = [
  { protocol: "tcp", hostIp: "::1", hostPort: 8080, target: { ip: "::2", port: 80 } },
];

test("leadPorts: tells the monitor of all ports, and nothing where there are none", async () => {
  assert.deepEqual(await led(ports), [ports]);
  assert.deepEqual(await led([]), []);
});

test("leadPorts: a monitor that knows of no ports, and one that is gone, are no failure; others are", async () => {
  await led(ports, new Fault("invalid", "unknown request"));
  await led(ports, new Fault("unavailable", "the container's monitor does not answer"));
  await assert.rejects(led(ports, new Fault("internal", "broken")), { message: "broken" });
});

async function led(held: readonly HeldPort[], failure?: Fault): Promise<unknown[]> {
  const told: unknown[] = [];
  const networks: Pick<Networks, "heldPortsOf"> = { heldPortsOf: () => held };
  const monitor: Pick<Monitor, "leadPorts"> = {
    leadPorts: async (wanted) => {
      told.push(wanted);
      if (failure !== undefined) throw failure;
      await Promise.resolve();
    },
  };
  await leadPorts({ networks }, "c", monitor);
  return told;
}
