import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { GenericContainer, Network, StartedTestContainer, Wait } from "testcontainers";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";

let daemon: TestDaemon;
let library: {
  readonly GenericContainer: typeof GenericContainer;
  readonly Network: typeof Network;
  readonly Wait: typeof Wait;
};

before(async () => {
  daemon = await startDaemon({ busybox: true });
  process.env["DOCKER_HOST"] = `unix://${daemon.socket}`;
  process.env["DOCKER_CONFIG"] = `${daemon.roots.dataRoot}.docker`;
  // Where it leaves a lock.
  process.env["TMPDIR"] = daemon.roots.dataRoot;
  // Ryuk's image is on a registry of the internet.
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  library = await import("testcontainers");
});
after(async () => await daemon[Symbol.asyncDispose]());

const page = (text: string): string[] => [
  "sh",
  "-c",
  `mkdir /w; echo ${text} > /w/index.html; echo serving; exec httpd -f -p 80 -h /w`,
];

async function get(container: StartedTestContainer): Promise<string> {
  const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`);
  return (await answer.text()).trim();
}

test("testcontainers: an exposed port answers as soon as start returns; exec, logs, restart with the same port", async () => {
  const container = await new library.GenericContainer("busybox:latest")
    .withCommand(page("hello"))
    .withExposedPorts(80)
    .withWaitStrategy(library.Wait.forListeningPorts())
    .start();
  assert.equal(await get(container), "hello");
  const { output, exitCode } = await container.exec(["sh", "-c", "echo out; exit 3"]);
  assert.deepEqual([output, exitCode], ["out\n", 3]);
  await container.restart({ timeout: 0 });
  assert.equal(await get(container), "hello");
  await container.stop({ timeout: 0 });
  assert.deepEqual((await daemon.api("GET", "/containers/json?all=1")).body, []);
});

test("testcontainers: containers of a network find each other by alias, two networks, extra hosts, and the network goes after them", async () => {
  const network = await new library.Network().start();
  const web = await new library.GenericContainer("busybox:latest")
    .withCommand(page("inside"))
    .withNetwork(network)
    .withNetworkAliases("web", "www.example")
    .withExposedPorts(80)
    .withWaitStrategy(library.Wait.forLogMessage("serving"))
    .start();
  const client = await new library.GenericContainer("busybox:latest")
    .withCommand(["sleep", "600"])
    .withNetwork(network)
    .withExtraHosts([{ host: "far.example", ipAddress: "192.0.2.9" }])
    .start();
  for (const name of ["web", "www.example", web.getName().slice(1), web.getIpAddress(network.getName())]) {
    const { output, exitCode } = await client.exec(["wget", "-qO-", `http://${name}/`]);
    assert.deepEqual([output, exitCode], ["inside\n", 0], name);
  }
  assert.match((await client.exec(["cat", "/etc/hosts"])).output, /192\.0\.2\.9\tfar\.example/);
  assert.equal(await get(web), "inside");
  // With aliases it is made on the default bridge, and connected to its network before it starts.
  assert.deepEqual(web.getNetworkNames().sort(), [network.getName(), "bridge"].sort());
  assert.deepEqual(client.getNetworkNames(), [network.getName()]);
  const { body } = await daemon.api("GET", `/networks/${network.getId()}`);
  assert.deepEqual(Object.keys(body.Containers).sort(), [web.getId(), client.getId()].sort());
  assert.match(JSON.stringify(body.Labels), /org\.testcontainers/);
  await Promise.all([web, client].map(async (container) => await container.stop({ timeout: 0 })));
  await network.stop();
  assert.equal((await daemon.api("GET", `/networks/${network.getId()}`)).status, 404);
});

test("testcontainers: one container in the network of another shares its ports", async () => {
  const web = await new library.GenericContainer("busybox:latest")
    .withCommand(page("shared"))
    .withWaitStrategy(library.Wait.forLogMessage("serving"))
    .start();
  const side = await new library.GenericContainer("busybox:latest")
    .withCommand(["sleep", "600"])
    .withNetworkMode(`container:${web.getId()}`)
    .start();
  assert.equal((await side.exec(["wget", "-qO-", "http://127.0.0.1/"])).output, "shared\n");
  await side.stop({ timeout: 0 });
  await web.stop({ timeout: 0 });
});
