import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "#core/fault";
import type { Member, Network, Networks } from "#networks";
import { fakeContainerId, fakeNetwork, fakeRooms } from "./testing/fake-rooms.ts";
import { parseAnswer, startServer } from "./testing/raw-client.ts";

const own: Network = {
  ...fakeNetwork,
  id: "f1".repeat(32),
  name: "front",
  ipv6: true,
  internal: true,
  attachable: true,
  ipam: {
    driver: "default",
    options: { a: "b" },
    pools: [
      { subnet: "10.1.0.0/24", range: "10.1.0.128/25", gateway: "10.1.0.1", auxiliary: { router: "10.1.0.2" } },
      { subnet: "fd00:1::/64", gateway: "fd00:1::1", auxiliary: {} },
    ],
  },
  options: { "com.docker.network.driver.mtu": "1400" },
  labels: { tier: "front", "only-key": "" },
};
const idle: Network = { ...own, id: "f2".repeat(32), name: "idle", labels: {} };
const host: Network = {
  ...fakeNetwork,
  id: "b2".repeat(32),
  name: "host",
  driver: "host",
  ipam: { driver: "default", options: {}, pools: [] },
};
const none: Network = { ...host, id: "b3".repeat(32), name: "none", driver: "null" };
const all = [fakeNetwork, own, host, idle, none];

const member: Member = {
  containerId: fakeContainerId,
  containerName: "web",
  endpoint: {
    id: "e5".repeat(32),
    networkId: own.id,
    networkName: "front",
    ipv4: { address: "10.1.0.129", prefixLength: 24, gateway: "10.1.0.1" },
    ipv6: { address: "fd00:1::2", prefixLength: 64, gateway: "fd00:1::1" },
    macAddress: "02:42:0a:01:00:81",
    interface: "eth0",
    dnsNames: ["web"],
  },
};

function rooms(networks: Partial<Networks> = {}) {
  return fakeRooms({
    networks: {
      list: () => all,
      find: (name) => {
        const found = all.find((network) => network.name === name || network.id.startsWith(name));
        if (found === undefined) throw new Fault("notFound", `network ${name} not found`);
        return found;
      },
      membersOf: (id) => (id === own.id ? [member] : []),
      ...networks,
    },
  });
}

async function ask(fakes: ReturnType<typeof rooms>, line: string, body?: unknown) {
  await using server = await startServer(fakes.options);
  const text = body === undefined ? "" : JSON.stringify(body);
  const head = `${line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  const answer = parseAnswer(await server.exchange(`${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`));
  return { status: answer.status, body: answer.body, json: answer.body === "" ? undefined : JSON.parse(answer.body) };
}

function given(fakes: ReturnType<typeof rooms>, name: string): readonly unknown[] | undefined {
  return fakes.calls.find((call) => call.name === name)?.given;
}

test("networks: inspect has Docker's fields in Docker's order", async () => {
  const { body, status } = await ask(rooms(), "GET /networks/front?verbose=true&scope=local");
  assert.equal(status, 200);
  assert.equal(
    body,
    `${JSON.stringify({
      Name: "front",
      Id: own.id,
      Created: "2023-11-14T22:13:20Z",
      Scope: "local",
      Driver: "bridge",
      EnableIPv4: true,
      EnableIPv6: true,
      IPAM: {
        Driver: "default",
        Options: { a: "b" },
        Config: [
          {
            Subnet: "10.1.0.0/24",
            IPRange: "10.1.0.128/25",
            Gateway: "10.1.0.1",
            AuxiliaryAddresses: { router: "10.1.0.2" },
          },
          { Subnet: "fd00:1::/64", Gateway: "fd00:1::1" },
        ],
      },
      Internal: true,
      Attachable: true,
      Ingress: false,
      ConfigFrom: { Network: "" },
      ConfigOnly: false,
      Containers: {
        [fakeContainerId]: {
          Name: "web",
          EndpointID: member.endpoint.id,
          MacAddress: "02:42:0a:01:00:81",
          IPv4Address: "10.1.0.129/24",
          IPv6Address: "fd00:1::2/64",
        },
      },
      Options: { "com.docker.network.driver.mtu": "1400" },
      Labels: { tier: "front", "only-key": "" },
    })}\n`,
  );
});

test("networks: predefined ones, versions and scopes", async () => {
  const { IPAM } = (await ask(rooms(), "GET /networks/host")).json;
  assert.deepEqual(IPAM, { Driver: "default", Options: null, Config: null });
  assert.equal("EnableIPv4" in (await ask(rooms(), "GET /v1.46/networks/front")).json, false);
  const missing = await ask(rooms(), "GET /networks/nope");
  assert.deepEqual([missing.status, missing.json], [404, { message: "network nope not found" }]);
  assert.equal((await ask(rooms(), "GET /networks/front?scope=swarm")).status, 404);
});

test("networks: the list filters as Docker does, and tells of containers only before 1.28", async () => {
  const rows: [filters: object, names: string[]][] = [
    [{}, ["bridge", "front", "host", "idle", "none"]],
    [{ driver: ["host", "null"] }, ["host", "none"]],
    [{ id: ["f2f2"] }, ["idle"]],
    [{ id: ["b2b2", "f1f1"] }, ["front", "host"]],
    [{ name: ["o"] }, ["front", "host", "none"]],
    [{ name: ["^fro", "^none$"] }, ["front", "none"]],
    [{ name: ["^ro"] }, []],
    [{ name: ["^i.le$"] }, ["idle"]],
    [{ scope: ["local"] }, ["bridge", "front", "host", "idle", "none"]],
    [{ scope: ["swarm"] }, []],
    [{ type: ["custom"] }, ["front", "idle"]],
    [{ type: ["builtin"] }, ["bridge", "host", "none"]],
    [{ dangling: ["true"] }, ["idle"]],
    [{ dangling: ["false"] }, ["bridge", "front", "host", "none"]],
    [{ label: ["tier"] }, ["front"]],
    [{ label: ["tier=front", "only-key"] }, ["front"]],
    [{ label: ["tier=back"] }, []],
    [{ type: { custom: true }, driver: ["bridge"], name: ["idle"] }, ["idle"]],
  ];
  for (const [filters, names] of rows) {
    const text = JSON.stringify(filters);
    const { json } = await ask(rooms(), `GET /networks?filters=${encodeURIComponent(text)}`);
    assert.deepEqual(
      (json as Network[] as { Name?: string }[]).map(({ Name }) => Name),
      names,
      text,
    );
  }
  for (const filters of [{ type: ["odd"] }, { name: ["("] }, { dangling: ["maybe"] }]) {
    const { status } = await ask(rooms(), `GET /networks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    assert.equal(status, 400);
  }
  const containers = async (version: string) =>
    Object.keys((await ask(rooms(), `GET /v${version}/networks`)).json[1].Containers);
  assert.deepEqual([await containers("1.27"), await containers("1.28")], [[fakeContainerId], []]);
});

test("networks: create carries every field to the room", async () => {
  const fakes = rooms({ create: async () => ({ id: "c1".repeat(32), warnings: ["one", "two"] }) });
  const answer = await ask(fakes, "POST /networks/create", {
    Name: "n",
    CheckDuplicate: true,
    Driver: "bridge",
    Scope: "local",
    EnableIPv4: false,
    EnableIPv6: true,
    IPAM: {
      Driver: "default",
      Options: { a: "b" },
      Config: [
        { Subnet: "10.1.0.0/24", IPRange: "10.1.0.0/25", Gateway: "10.1.0.1", AuxiliaryAddresses: { x: "10.1.0.5" } },
        { Subnet: "fd00::/64", AuxAddress: { y: "fd00::5" } },
        {},
      ],
    },
    Internal: true,
    Attachable: true,
    Ingress: false,
    ConfigOnly: false,
    ConfigFrom: null,
    Options: { "com.docker.network.bridge.name": "br-x" },
    Labels: { l: "v" },
  });
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.json, { Id: "c1".repeat(32), Warning: "one\ntwo" });
  assert.deepEqual(given(fakes, "networks.create"), [
    {
      name: "n",
      driver: "bridge",
      scope: "local",
      ipv4: false,
      ipv6: true,
      internal: true,
      attachable: true,
      ipam: {
        driver: "default",
        options: { a: "b" },
        pools: [
          { subnet: "10.1.0.0/24", range: "10.1.0.0/25", gateway: "10.1.0.1", auxiliary: { x: "10.1.0.5" } },
          { subnet: "fd00::/64", auxiliary: { y: "fd00::5" } },
        ],
      },
      options: { "com.docker.network.bridge.name": "br-x" },
      labels: { l: "v" },
    },
  ]);
});

test("networks: create fills in what is not said, and refuses what belongs to a swarm", async () => {
  const fakes = rooms();
  assert.equal((await ask(fakes, "POST /v1.30/networks/create", { Name: "n", IPAM: null })).status, 201);
  assert.deepEqual(given(fakes, "networks.create"), [
    {
      name: "n",
      driver: "",
      scope: "",
      ipv4: true,
      ipv6: false,
      internal: false,
      attachable: false,
      ipam: { driver: "", options: {}, pools: [] },
      options: {},
      labels: {},
    },
  ]);
  for (const body of [{ Ingress: true }, { ConfigOnly: true }, { ConfigFrom: { Network: "x" } }]) {
    const { json, status } = await ask(rooms(), "POST /networks/create", { Name: "n", ...body });
    assert.equal(status, 501);
    assert.match(json.message, /belongs to a swarm/);
  }
  assert.equal((await ask(rooms(), "POST /networks/create", { Name: 5 })).status, 400);
  assert.equal((await ask(rooms(), "POST /networks/create")).status, 400);
});

test("networks: the room's refusals have their statuses", async () => {
  const conflict = rooms({
    create: async () => {
      throw new Fault("conflict", "network with name n already exists");
    },
    remove: async (name) => {
      throw new Fault("forbidden", `${name} is a pre-defined network and cannot be removed`);
    },
  });
  const create = await ask(conflict, "POST /networks/create", { Name: "n" });
  assert.deepEqual([create.status, create.json], [409, { message: "network with name n already exists" }]);
  assert.equal((await ask(conflict, "DELETE /networks/bridge")).status, 403);
  const fakes = rooms();
  assert.deepEqual(await ask(fakes, "DELETE /networks/front"), { status: 204, body: "", json: undefined });
  assert.deepEqual(given(fakes, "networks.remove"), ["front"]);
});

test("networks: connect carries the endpoint as the version means it", async () => {
  const body = {
    Container: "web",
    EndpointConfig: {
      IPAMConfig: { IPv4Address: "10.1.0.9" },
      Aliases: ["a"],
      MacAddress: "02:42:ac:11:00:02",
      GwPriority: 5,
      DriverOpts: { x: "y" },
      Links: ["db:store"],
    },
  };
  const rows: [version: string, priority: number, mac: string | undefined][] = [
    ["1.51", 5, "02:42:ac:11:00:02"],
    ["1.47", 0, "02:42:ac:11:00:02"],
    ["1.43", 0, undefined],
  ];
  for (const [version, gatewayPriority, macAddress] of rows) {
    const fakes = rooms();
    assert.equal((await ask(fakes, `POST /v${version}/networks/front/connect`, body)).status, 200);
    assert.deepEqual(given(fakes, "connectNetwork"), [
      "web",
      {
        network: "front",
        ipv4: "10.1.0.9",
        linkLocal: [],
        ...(macAddress !== undefined && { macAddress }),
        aliases: ["a"],
        links: ["db:store"],
        options: { x: "y" },
        gatewayPriority,
      },
    ]);
  }
  const bare = rooms();
  assert.equal((await ask(bare, "POST /networks/front/connect", { Container: "web" })).status, 200);
  assert.equal((await ask(rooms(), "POST /networks/front/connect", {})).status, 400);
});

test("networks: a container that is not there is a 404; a forced disconnect takes what it left behind", async () => {
  const gone = async (name: string): Promise<never> => {
    throw new Fault("notFound", `No such container: ${name}`);
  };
  const fakes = fakeRooms({
    containers: { connectNetwork: gone, disconnectNetwork: gone },
    networks: {
      find: (name) => {
        if (name !== "front") throw new Fault("notFound", `network ${name} not found`);
        return own;
      },
      evict: async () => undefined,
    },
  });
  for (const verb of ["connect", "disconnect"]) {
    const { json, status } = await ask(fakes, `POST /networks/front/${verb}`, { Container: "gone" });
    assert.deepEqual([status, json], [404, { message: "No such container: gone" }]);
  }
  const forced = await ask(fakes, "POST /networks/front/disconnect", { Container: "gone", Force: true });
  assert.deepEqual([forced.status, forced.body], [200, ""]);
  assert.deepEqual(given(fakes, "networks.evict"), ["front", "gone"]);
  const there = rooms();
  assert.equal((await ask(there, "POST /networks/front/disconnect", { Container: "web", Force: true })).status, 200);
  assert.deepEqual(given(there, "disconnectNetwork"), ["web", "front"]);
});

test("networks: prune takes what nobody is in, by label and age, and goes on past a failure", async () => {
  const old: Network = {
    ...idle,
    id: "f3".repeat(32),
    name: "old",
    createdNs: 1_000_000_000_000_000_000n,
    labels: { keep: "" },
  };
  const stuck: Network = { ...idle, id: "f4".repeat(32), name: "stuck" };
  const run = async (filters?: object, networks = [...all, old, stuck]) => {
    const fakes = rooms({
      list: () => networks,
      remove: async (id) => {
        if (id === stuck.id) throw new Fault("forbidden", "somebody joined");
      },
    });
    const query = filters === undefined ? "" : `?filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const { json, status } = await ask(fakes, `POST /networks/prune${query}`);
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(json), ["NetworksDeleted"]);
    return { deleted: json.NetworksDeleted, logged: fakes.logged };
  };
  assert.deepEqual(await run(), { deleted: ["idle", "old"], logged: ["network prune left one"] });
  assert.deepEqual((await run({ until: ["1500000000"] })).deleted, ["old"]);
  assert.deepEqual((await run({ label: ["keep"] })).deleted, ["old"]);
  assert.deepEqual((await run({ "label!": ["keep"] })).deleted, ["idle"]);
  assert.equal((await run({}, [fakeNetwork, own, host, none])).deleted, null);
});
