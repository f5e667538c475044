import assert from "node:assert/strict";
import { test } from "node:test";
import type { Network } from "./networks.ts";
import { type EndpointRecord, NetworkRecords, type Sandbox } from "./records.ts";
import { scratchDatabase } from "./testing/scratch-database.ts";

test("sandboxOf: after each change what memory has is what the database has", () => {
  const { records, same, alpha, beta } = openRecords();
  records.addSandbox(sandboxOf(endpointIn(alpha)));
  assert.equal(same()?.endpoints.length, 1);
  records.addEndpoint(endpointIn(beta, { ipv4: "10.0.0.3" }));
  assert.deepEqual(
    same()?.endpoints.map(({ network }) => network.name),
    ["alpha", "beta"],
  );
  records.rename("web", "shop");
  assert.equal(same()?.containerName, "shop");
  records.removeEndpoint(endpointIn(alpha));
  assert.deepEqual(
    same()?.endpoints.map(({ network }) => network.name),
    ["beta"],
  );
  const moved = records.define({ ...beta, ipam: { ...beta.ipam, driver: "elsewhere" } });
  assert.equal(same()?.endpoints[0]?.network, moved);
  records.removeSandbox("web");
  assert.equal(same(), undefined);
});

test("sandboxOf: a change that fails is in neither of them", () => {
  const { records, same, alpha, beta } = openRecords();
  records.addSandbox(sandboxOf(endpointIn(alpha)));
  assert.throws(() => records.addEndpoint(endpointIn(alpha)), /UNIQUE/);
  assert.throws(() => records.addEndpoint(endpointIn({ ...beta, id: "gone" })), { kind: "notFound" });
  assert.equal(same()?.endpoints.length, 1);
  assert.throws(() => records.addSandbox({ ...sandboxOf(endpointIn(beta)), containerName: "other" }), /UNIQUE/);
  assert.equal(same()?.containerName, "name-of-web");
});

test("loose: only interfaces without an end on the host ever are", () => {
  const { records, alpha, beta } = openRecords();
  records.addSandbox(sandboxOf());
  records.addLoose(endpointIn(alpha));
  assert.deepEqual(records.loose(), []);
  records.addLoose(endpointIn(beta, { link: "", interface: "eth1" }));
  assert.deepEqual(
    records.loose().map((loose) => `${loose.interface} of ${loose.containerId}`),
    ["eth1 of web"],
  );
  records.forgetLoose({ containerId: "web", interface: "eth1" });
  assert.deepEqual(records.loose(), []);
});

test("named: finds a network by its name for as long as there is one", () => {
  const { records, alpha } = openRecords();
  assert.equal(records.named("alpha"), alpha);
  records.remove(alpha.id);
  assert.equal(records.named("alpha"), undefined);
  const again = records.add({ ...alpha, id: "another" });
  assert.equal(records.named("alpha"), again);
  assert.deepEqual(
    records.list().map(({ name }) => name),
    ["alpha", "beta"],
  );
});

/** Records with two networks; `same` answers the container's attachment, which is to be the same when it is read anew. */
function openRecords() {
  const database = scratchDatabase();
  database.run("PRAGMA foreign_keys = ON");
  const records = new NetworkRecords(database);
  const bare = { ipv4: true, ipv6: false, internal: false, attachable: false, options: {}, labels: {}, createdNs: 1n };
  const ipam = { driver: "default", options: {}, pools: [] };
  const [alpha, beta] = ["alpha", "beta"].map((name) => records.define({ ...bare, name, driver: "bridge", ipam }));
  assert.ok(alpha !== undefined && beta !== undefined);
  const same = (): Sandbox | undefined => {
    const kept = records.sandboxOf("web");
    assert.deepEqual(kept, new NetworkRecords(database).sandboxOf("web"));
    return kept;
  };
  return { records, same, alpha, beta };
}

function sandboxOf(...endpoints: readonly EndpointRecord[]): Sandbox {
  return { containerId: "web", containerName: "name-of-web", hostname: "web", servers: [], ports: [], endpoints };
}

function endpointIn(network: Network, more: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    containerId: "web",
    network,
    endpointId: `in ${network.name}`,
    ipv4: "10.0.0.2",
    macAddress: "02:42:0a:00:00:02",
    link: "slw1",
    interface: "eth0",
    linkLocal: [],
    aliases: [],
    links: {},
    gatewayPriority: 0,
    ...more,
  };
}
