import assert from "node:assert/strict";
import { test } from "node:test";
import { migrations } from "./migrations.ts";
import { NetworkRecords } from "./records.ts";
import { scratchDatabase } from "./testing/scratch-database.ts";

test("migrations: networks and endpoints of the first tables are there in the new ones, and new ones come beside them", () => {
  const database = scratchDatabase();
  database.run("PRAGMA foreign_keys = ON");
  database.migrate("networks", migrations.slice(0, 1));
  const network = "INSERT INTO network VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
  const options = { "com.docker.network.bridge.name": "slipway0" };
  const createdNs = 1_764_000_000_123_456_789n;
  const labels = JSON.stringify({ owner: 'a "quoted" one' });
  database.run(
    network,
    "b1",
    "bridge",
    "bridge",
    createdNs,
    "172.17.0.0/16",
    "172.17.0.1",
    JSON.stringify(options),
    labels,
  );
  database.run(network, "h1", "host", "host", 2, null, null, "{}", "{}");
  const endpoint = "INSERT INTO network_endpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
  const port = { protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0", hostPort: 8080 };
  const containerId = "0123456789abcdef";
  database.run(
    endpoint,
    containerId,
    "b1",
    "web",
    "e1",
    "172.17.0.2",
    "02:42:ac:11:00:02",
    "slw1",
    JSON.stringify([port]),
  );
  database.run(endpoint, "host-one", "h1", "lonely", "e2", null, null, null, "[]");

  const records = new NetworkRecords(database);
  assert.deepEqual(records.find("bridge"), {
    id: "b1",
    name: "bridge",
    driver: "bridge",
    createdNs,
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    ipam: {
      driver: "default",
      options: {},
      pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {} }],
    },
    options,
    labels: { owner: 'a "quoted" one' },
  });
  assert.deepEqual(records.find("host").ipam.pools, []);
  assert.deepEqual(records.sandboxOf(containerId), {
    containerId,
    containerName: "web",
    hostname: "0123456789ab",
    servers: [],
    ports: [port],
    endpoints: [
      {
        containerId,
        network: records.find("bridge"),
        endpointId: "e1",
        ipv4: "172.17.0.2",
        macAddress: "02:42:ac:11:00:02",
        link: "slw1",
        interface: "eth0",
        linkLocal: [],
        aliases: [],
        links: {},
        gatewayPriority: 0,
      },
    ],
  });
  const lonely = records.sandboxOf("host-one")?.endpoints[0];
  assert.deepEqual([lonely?.link, lonely?.interface, lonely?.macAddress, lonely?.ipv4], ["", "", "", undefined]);

  const old = database.all("SELECT name FROM sqlite_schema WHERE name LIKE 'old_%'");
  assert.deepEqual(old, []);
  assert.deepEqual(database.all("PRAGMA foreign_key_check"), []);
  records.add({ ...records.find("bridge"), id: "n1", name: "shop" });
  const [first] = records.sandboxOf(containerId)?.endpoints ?? [];
  assert.ok(first);
  records.addEndpoint({ ...first, network: records.find("shop") });
  assert.equal(records.sandboxOf(containerId)?.endpoints.length, 2);
  assert.throws(() => records.remove("n1"), /FOREIGN KEY/);
  records.removeSandbox(containerId);
  records.remove("n1");
  assert.equal(records.isUsed("b1"), false);
});

test("migrations: are done once", () => {
  const database = scratchDatabase();
  const records = new NetworkRecords(database);
  const bare = { ipv4: true, ipv6: false, internal: false, attachable: false, options: {}, labels: {} };
  const ipam = { driver: "default", options: {}, pools: [] };
  const { id } = records.define({ ...bare, name: "host", driver: "host", createdNs: 5n, ipam });
  assert.equal(new NetworkRecords(database).find("host").id, id);
});
