import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { dockerProgram } from "#fixtures/docker";
import { type FakeEngine, startFakeEngine } from "#fixtures/fake-engine";
import { type Outcome, runProgram } from "#fixtures/program";

const program = join(import.meta.dirname, "../../bin/slipway.ts");

async function slipway(engine: FakeEngine, args: readonly string[], input = ""): Promise<Outcome> {
  const env = { SLIPWAY_HOST: engine.host, DOCKER_CONFIG: "/nowhere" };
  return await runProgram(process.execPath, [program, ...args], { env, input });
}

async function docker(engine: FakeEngine, args: readonly string[], input = ""): Promise<Outcome> {
  return await runProgram(await dockerProgram(), args, { env: { DOCKER_HOST: engine.host }, input });
}

const volume = (Name: string, Driver = "local"): object => ({
  CreatedAt: "2026-01-02T03:04:05Z",
  Driver,
  Labels: { a: "b" },
  Mountpoint: `/volumes/${Name}/_data`,
  Name,
  Options: null,
  Scope: "local",
});
const missing = { status: 404, json: { message: "get gone: no such volume" } };
const ping = { "HEAD /_ping": { text: "", type: "text/plain" } };

test("slipway volume ls, inspect, rm, prune: print what Docker's client prints", async () => {
  await using engine = await startFakeEngine({
    ...ping,
    "GET /volumes": { json: { Volumes: [volume("b", "plug"), volume("a")], Warnings: null } },
    "GET /volumes/a": { json: volume("a") },
    "GET /volumes/gone": missing,
    "DELETE /volumes/a": { status: 204 },
    "DELETE /volumes/gone": missing,
    "POST /volumes/prune": { json: { VolumesDeleted: ["a", "b"], SpaceReclaimed: 2048 } },
  });
  for (const line of [
    "volume ls",
    "volume list -q",
    "volume ls --format json",
    'volume ls --filter dangling=true --format {{.Name}}|{{.Driver}}|{{.Mountpoint}}|{{.Label\u00a0"a"}}|{{.Size}}',
    "volume inspect a",
    "volume inspect -f {{.Name}}|{{.Options}}|{{.CreatedAt}} a gone",
    "volume rm a gone",
    "volume prune -f",
    "volume prune --all --force --filter label=x",
    "inspect --type volume a",
    "volume update gone",
  ]) {
    const args = line.split(" ").map((word) => word.replaceAll("\u00a0", " "));
    const before = engine.seen.length;
    const theirs = await docker(engine, args);
    const asked = engine.seen.slice(before).filter(({ method }) => method !== "HEAD");
    const middle = engine.seen.length;
    const ours = await slipway(engine, args);
    assert.deepEqual([ours.code, ours.stdout], [theirs.code, theirs.stdout], `${line}\n${ours.stderr}${theirs.stderr}`);
    const told = (seen: typeof engine.seen): unknown =>
      seen.map(({ method, query }) => [method, JSON.parse(query.get("filters") ?? "{}")]);
    if (!line.includes("update")) assert.deepEqual(told(engine.seen.slice(middle)), told(asked), line);
  }
});

test("slipway volume create: the same request as Docker's client", async () => {
  await using engine = await startFakeEngine({
    ...ping,
    "POST /volumes/create": { status: 201, json: volume("made") },
  });
  for (const args of [
    ["volume", "create"],
    ["volume", "create", "data", "--label", "a=b", "--label", "c", "-d", "plug"],
    ["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "--opt", "o=size=1m,uid=1", "mem"],
  ]) {
    const theirs = await docker(engine, args);
    const ours = await slipway(engine, args);
    assert.deepEqual(ours, theirs);
    const [sent = "", other = ""] = engine.seen.filter(({ method }) => method === "POST").map(({ body }) => body);
    const filled = (text: string): unknown => ({ Name: "", Labels: {}, DriverOpts: {}, ...JSON.parse(text) });
    assert.deepEqual(filled(other), filled(sent));
    engine.seen.splice(0);
  }
  const swarm = await slipway(engine, ["volume", "create", "--sharing", "all", "x"]);
  assert.deepEqual([swarm.code, engine.seen.length], [1, 0]);
  assert.match(swarm.stderr, /--sharing is for volumes of a swarm/);
});

test("slipway volume prune: asks first, and says which", async () => {
  await using engine = await startFakeEngine({ ...ping });
  for (const args of [
    ["volume", "prune"],
    ["volume", "prune", "-a"],
  ]) {
    const ours = await slipway(engine, args, "n\n");
    const theirs = await docker(engine, args, "n\n");
    assert.equal(ours.stdout.trimEnd(), theirs.stdout.trimEnd());
    assert.equal(ours.code, 1);
  }
  assert.equal(engine.seen.filter(({ method }) => method === "POST").length, 0);
});

test("slipway __complete: volumes", async () => {
  await using engine = await startFakeEngine({
    "GET /volumes": { json: { Volumes: [volume("data")], Warnings: null } },
  });
  const words = async (...args: string[]): Promise<string> => (await slipway(engine, ["__complete", ...args])).stdout;
  assert.equal(await words("volume", "rm", "d"), "data\tlocal\n");
  assert.match(await words("volume", ""), /^create\t[\s\S]*^inspect\t[\s\S]*^prune\t[\s\S]*^rm\t/m);
});
