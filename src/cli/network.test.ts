import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type FakeEngine, startFakeEngine } from "#fixtures/fake-engine";
import { type Outcome, runProgram } from "#fixtures/program";

const program = join(import.meta.dirname, "../../bin/slipway.ts");

async function slipway(engine: FakeEngine, args: readonly string[], input = ""): Promise<Outcome> {
  const env = { SLIPWAY_HOST: engine.host, DOCKER_CONFIG: "/nowhere" };
  return await runProgram(process.execPath, [program, ...args], { env, input });
}

const network = (name: string, digit: string, driver = "bridge"): object => ({
  Name: name,
  Id: digit.repeat(64),
  Created: "2026-01-02T03:04:05Z",
  Scope: "local",
  Driver: driver,
  EnableIPv6: false,
  Internal: false,
  Labels: { a: "b" },
});
const missing = { status: 404, json: { message: "network gone not found" } };

test("slipway network ls: Docker's table, by name; ids, whole ids and formats", async () => {
  await using engine = await startFakeEngine({
    "GET /networks": { json: [network("none", "3", "null"), network("app", "1"), network("bridge", "2")] },
  });
  const out = async (...args: string[]): Promise<string> => (await slipway(engine, ["network", ...args])).stdout;
  assert.equal(
    await out("ls"),
    [
      "NETWORK ID     NAME      DRIVER    SCOPE",
      "111111111111   app       bridge    local",
      "222222222222   bridge    bridge    local",
      "333333333333   none      null      local",
      "",
    ].join("\n"),
  );
  assert.equal(await out("list", "-q"), `${["1", "2", "3"].map((digit) => digit.repeat(12)).join("\n")}\n`);
  assert.match(await out("ls", "--no-trunc"), /^1{64} {3}app/m);
  assert.equal(await out("ls", "--format", '{{.Name}} {{.Label "a"}}'), "app b\nbridge b\nnone b\n");
});

test("slipway network create: prints the id, and the engine's warning beside it", async () => {
  await using engine = await startFakeEngine({
    "POST /networks/create": { status: 201, json: { Id: "1".repeat(64), Warning: "odd option" } },
  });
  const outcome = await slipway(engine, ["network", "create", "--subnet", "10.1.0.0/24", "app"]);
  assert.deepEqual(outcome, { code: 0, stdout: `${"1".repeat(64)}\n`, stderr: "WARNING: odd option\n" });
});

test("slipway network rm, inspect: go on past a failure, and end with 1", async () => {
  await using engine = await startFakeEngine({
    "DELETE /networks/a": { status: 204 },
    "DELETE /networks/b": { status: 204 },
    "DELETE /networks/gone": missing,
    "GET /networks/a": { json: network("a", "1") },
    "GET /networks/b": { json: network("b", "2") },
    "GET /networks/gone": missing,
    "GET /networks/a/json": missing,
  });
  const words = "Error response from daemon: network gone not found\n";
  const rm = (...args: string[]): Promise<Outcome> => slipway(engine, ["network", "rm", ...args]);
  assert.deepEqual(await rm("a", "gone", "b"), { code: 1, stdout: "a\nb\n", stderr: words });
  assert.deepEqual(await rm("-f", "gone", "b"), { code: 0, stdout: "b\n", stderr: "" });
  const inspected = await slipway(engine, [
    "network",
    "inspect",
    "-v",
    "-f",
    "{{.Name}} {{.Driver}}",
    "a",
    "gone",
    "b",
  ]);
  assert.deepEqual(inspected, { code: 1, stdout: "a bridge\nb bridge\n", stderr: words });
  assert.equal(engine.seen.find(({ path }) => path === "/networks/a")?.method, "DELETE");
  const asked = engine.seen.find(({ method, path }) => method === "GET" && path === "/networks/a");
  assert.equal(asked?.query.get("verbose"), "1");
  const typed = await slipway(engine, ["inspect", "--type", "network", "-f", "{{.Name}}", "a"]);
  assert.equal(typed.stdout, "a\n");
});

test("slipway network prune: asks, removes, and lists the names", async () => {
  await using engine = await startFakeEngine({ "POST /networks/prune": { json: { NetworksDeleted: ["a", "b"] } } });
  const question =
    "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ";
  const refused = await slipway(engine, ["network", "prune"], "n\n");
  assert.deepEqual([refused.code, refused.stdout], [1, question]);
  assert.equal(engine.seen.length, 0);
  const agreed = await slipway(engine, ["network", "prune"], "y\n");
  assert.deepEqual([agreed.code, agreed.stdout], [0, `${question}Deleted Networks:\na\nb\n\n`]);
  assert.equal((await slipway(engine, ["network", "prune", "-f"])).stdout, "Deleted Networks:\na\nb\n\n");
});

test("slipway network prune: says nothing when there was nothing", async () => {
  await using engine = await startFakeEngine({ "POST /networks/prune": { json: { NetworksDeleted: null } } });
  assert.deepEqual(await slipway(engine, ["network", "prune", "-f"]), { code: 0, stdout: "", stderr: "" });
});

test("slipway ps: a container's networks", async () => {
  const networks = { app: {}, bridge: {} };
  await using engine = await startFakeEngine({
    "GET /containers/json": {
      json: [{ Id: "1".repeat(64), Names: ["/web"], Mounts: [], NetworkSettings: { Networks: networks } }],
    },
  });
  assert.equal((await slipway(engine, ["ps", "--format", "{{.Networks}}"])).stdout, "app,bridge\n");
});

test("slipway __complete: networks, and the containers behind them", async () => {
  await using engine = await startFakeEngine({
    "GET /networks": { json: [network("app", "1"), network("bridge", "2")] },
    "GET /containers/json": { json: [{ Id: "1", Names: ["/web"], Image: "nginx", Status: "Up 2 minutes" }] },
  });
  const words = async (...args: string[]): Promise<string> => (await slipway(engine, ["__complete", ...args])).stdout;
  assert.equal(await words("run", "--network", "a"), "app\tbridge\n");
  assert.equal(await words("network", "rm", "app", "b"), "bridge\tbridge\n");
  assert.equal(await words("network", "connect", "a"), "app\tbridge\n");
  assert.equal(await words("network", "connect", "app", "w"), "web\tnginx, Up 2 minutes\n");
  assert.match(await words("network", ""), /^connect\t[\s\S]*^create\t[\s\S]*^prune\t[\s\S]*^rm\t/m);
});

test("slipway network: the group alone shows its commands", async () => {
  await using engine = await startFakeEngine({});
  const { code, stdout } = await slipway(engine, ["network"]);
  assert.equal(code, 0);
  assert.deepEqual(
    [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name),
    ["connect", "create", "disconnect", "inspect", "list", "ls", "prune", "remove", "rm"].filter((name) =>
      new RegExp(`^  ${name} `, "m").test(stdout),
    ),
  );
  for (const name of ["connect", "create", "disconnect", "inspect", "ls", "prune", "rm"]) {
    assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  }
});
