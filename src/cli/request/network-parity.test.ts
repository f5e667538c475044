import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { dockerProgram } from "#fixtures/docker";
import { type FakeEngine, startFakeEngine } from "#fixtures/fake-engine";
import { runProgram } from "#fixtures/program";
import { main } from "../cli.ts";

const subnet = ["--subnet", "10.1.0.0/24"];

/** After `network`; both clients send the same, or both refuse it in the same words. */
const commandLines: readonly (readonly string[])[] = [
  ["create", "n"],
  [
    ..."create -d bridge --subnet 10.1.0.0/24 --gateway 10.1.0.1 --ip-range 10.1.0.128/25 --internal".split(" "),
    ..."--aux-address a=10.1.0.5 --aux-address b=10.1.0.6 --ipv6 --subnet fd00::/64 --gateway fd00::1".split(" "),
    ..."--label a=b --label c -o x=y=z -o w --attachable --ipam-opt q=r --ipam-driver other n".split(" "),
  ],
  ["create", "--ipv4=false", "--ipv6=true", "n"],
  ["create", "--subnet", "10.1.0.0/24,10.2.0.0/24", "--gateway", "10.2.0.1", "n"],
  ["create", "--subnet", "zz", "n"],
  ["create", "--subnet", "10.1.0.5/24", "n"],
  ["create", "--ingress", "--config-only", "--config-from", "x", "--scope", "swarm", "n"],
  ["create", "--subnet", "10.1.0.0/24,10.1.0.0/25", "n"],
  ["create", "--gateway", "10.1.0.1", "n"],
  ["create", "--subnet", "zz", "--gateway", "10.1.0.1", "n"],
  ["create", ...subnet, "--gateway", "10.2.0.1", "n"],
  ["create", ...subnet, "--gateway", "zz", "n"],
  ["create", ...subnet, "--subnet", "10.2.0.0/24", "--gateway", "10.1.0.1,10.1.0.2", "n"],
  ["create", ...subnet, "--ip-range", "10.2.0.0/25", "n"],
  ["create", ...subnet, "--subnet", "10.2.0.0/24", "--ip-range", "10.1.0.0/25,10.1.0.0/26", "n"],
  ["create", ...subnet, "--ip-range", "10.1.0.0/25,10.1.0.0/26", "n"],
  ["create", ...subnet, "--aux-address", "a=10.2.0.5", "n"],
  ["create", "--aux-address", "a=10.1.0.5", "n"],
  ["connect", "n", "c"],
  [
    ..."connect --alias a,b --alias c --driver-opt x=y,v=w --gw-priority -5 --ip 1.2.3.4 --ip6 ::1".split(" "),
    ..."--link x:y --link z --link-local-ip 169.254.0.1,169.254.0.2 n c".split(" "),
  ],
  ["connect", "--ip", "zz", "n", "c"],
  ["connect", "--driver-opt", "x", "n", "c"],
  ["connect", "--link", "a:b:c", "n", "c"],
  ["disconnect", "n", "c"],
  ["disconnect", "-f", "n", "c"],
  ["prune", "-f", "--filter", "until=24h", "--filter", "label=a=b", "--filter", "label!=c"],
  ["ls", "-f", "name=a", "--filter", "dangling=true", "-f", "type=custom"],
  ["inspect", "n"],
];

let engine: FakeEngine;
before(async () => {
  engine = await startFakeEngine({
    "HEAD /_ping": { text: "", type: "text/plain" },
    "POST /networks/create": { status: 201, json: { Id: "1".repeat(64), Warning: "" } },
    "POST /networks/n/connect": { status: 200 },
    "POST /networks/n/disconnect": { status: 200 },
    "POST /networks/prune": { json: { NetworksDeleted: null } },
    "GET /networks": { json: [] },
    "GET /networks/n": { json: { Name: "n", Id: "1" } },
  });
});
after(() => engine[Symbol.asyncDispose]());

describe("network: the same requests as Docker's client sends", { concurrency: false }, () => {
  for (const args of commandLines) {
    test(args.join(" "), async () => {
      const docker = await seenOf(async () => {
        const env = { DOCKER_HOST: engine.host, DOCKER_CONFIG: "/nowhere" };
        return (await runProgram(await dockerProgram(), ["network", ...args], { env })).stderr;
      });
      const ours = await seenOf(() => stderrOf(["--host", engine.host, "network", ...args]));
      assert.deepEqual(ours.requests, docker.requests);
      if (docker.requests.length > 0) return;
      const [words = ""] = docker.stderr.split("\n");
      assert.notEqual(words, "");
      assert.ok(ours.stderr.includes(words), `${ours.stderr} says: ${words}`);
    });
  }
});

/** What reached the engine while it ran, without what is empty. */
async function seenOf(work: () => Promise<string>): Promise<{ requests: unknown[]; stderr: string }> {
  engine.seen.length = 0;
  const stderr = await work();
  const requests = engine.seen
    .filter(({ path }) => path !== "/_ping")
    .map(({ body, method, path, query }) => ({
      line: `${method} ${path}`,
      query: [...query]
        .filter(([, value]) => value !== "" && value !== "false")
        .map(([name, value]) => [name, name === "filters" ? (JSON.parse(value) as unknown) : value]),
      body: body === "" ? undefined : filled(JSON.parse(body)),
    }));
  return { requests, stderr };
}

async function stderrOf(argv: readonly string[]): Promise<string> {
  const write = process.stderr.write.bind(process.stderr);
  const quiet = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stderr.write = (chunk) => (text += String(chunk)) !== "";
  process.stdout.write = () => true;
  try {
    await main(argv);
  } finally {
    process.stderr.write = write;
    process.stdout.write = quiet;
  }
  return text;
}

/** Without what is empty, as the engine takes it; a false that was asked for stays. Pools come in any order from Docker's client. */
function filled(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(filled).sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]): [string, unknown] => [name, filled(inner)])
      .filter(([name, inner]) => !isEmpty(inner) || (name === "EnableIPv4" && inner === false))
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === null || value === 0 || value === false || value === "";
}
