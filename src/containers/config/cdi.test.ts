import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DeviceCapabilityRequest } from "../containers.ts";
import { injectDevices } from "./cdi.ts";

const root = mkdtempSync(join(tmpdir(), "slipway-cdi-"));
after(() => rmSync(root, { recursive: true }));
const [first, second] = [join(root, "etc"), join(root, "run")];
mkdirSync(first, { mode: 0o755 });
mkdirSync(second, { mode: 0o755 });

const device = (name: string) => ({
  name,
  containerEdits: { deviceNodes: [{ path: `/dev/gpu${name}`, hostPath: "/dev/null", permissions: "rw", gid: 44 }] },
});
write(join(first, "gpu.json"), {
  cdiVersion: "0.6.0",
  kind: "example.com/gpu",
  devices: [device("0"), device("1")],
  containerEdits: {
    env: ["GPU=yes"],
    mounts: [{ hostPath: "/opt/gpu", containerPath: "/usr/gpu", options: ["ro", "rbind"] }],
    hooks: [{ hookName: "createContainer", path: "/usr/bin/hook", args: ["hook"] }],
    additionalGids: [44],
  },
});

function write(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value), { mode: 0o644 });
}

function ask(change: Partial<DeviceCapabilityRequest>): DeviceCapabilityRequest {
  return { driver: "", count: 0, deviceIds: [], capabilities: [["gpu"]], options: {}, ...change };
}

const cdi = (...deviceIds: string[]) => ask({ driver: "cdi", deviceIds, capabilities: [] });

test("injectDevices: devices by name, and what their specification adds, once", async () => {
  const injection = await injectDevices([cdi("example.com/gpu=0", "example.com/gpu=1")], [first, second]);
  assert.deepEqual(
    injection.nodes.map(({ path, major, minor, gid }) => ({ path, major, minor, gid })),
    [
      { path: "/dev/gpu0", major: 1, minor: 3, gid: 44 },
      { path: "/dev/gpu1", major: 1, minor: 3, gid: 44 },
    ],
  );
  assert.equal(injection.rules[0]?.access, "rw");
  assert.deepEqual(injection.env, ["GPU=yes"]);
  assert.deepEqual(injection.groups, [44]);
  assert.deepEqual(injection.hooks, { createContainer: [{ path: "/usr/bin/hook", args: ["hook"] }] });
  assert.deepEqual(injection.mounts, [
    { destination: "/usr/gpu", type: "bind", source: "/opt/gpu", options: ["ro", "rbind"] },
  ]);
});

test("injectDevices: --gpus all, a number, and by id", async () => {
  const paths = async (change: Partial<DeviceCapabilityRequest>) =>
    (await injectDevices([ask(change)], [first])).nodes.map(({ path }) => path);
  assert.deepEqual(await paths({ count: -1 }), ["/dev/gpu0", "/dev/gpu1"]);
  assert.deepEqual(await paths({ count: 1 }), ["/dev/gpu0"]);
  assert.deepEqual(await paths({ deviceIds: ["1"] }), ["/dev/gpu1"]);
  await assert.rejects(paths({ count: 3 }), /unresolvable CDI devices example.com\/gpu=2$/);
});

test("injectDevices: specifications in YAML, as vendors' tools write them", async () => {
  const folder = join(root, "yaml");
  mkdirSync(folder, { mode: 0o755 });
  const text = [
    "cdiVersion: 0.5.0",
    "kind: example.com/net",
    "devices:",
    "  - name: '0'",
    "    containerEdits: { env: [CARD=0], deviceNodes: [{ path: /dev/card0, hostPath: /dev/zero }] }",
    "containerEdits:",
    "  env:",
    "    - NET=yes",
  ];
  writeFileSync(join(folder, "net.yaml"), text.join("\n"), { mode: 0o644 });
  const { env, nodes } = await injectDevices([cdi("example.com/net=0")], [folder]);
  assert.deepEqual(env, ["NET=yes", "CARD=0"]);
  assert.deepEqual([nodes[0]?.path, nodes[0]?.minor], ["/dev/card0", 5]);
  writeFileSync(join(folder, "net.yaml"), "kind: [", { mode: 0o644 });
  await assert.rejects(
    injectDevices([cdi("example.com/net=0")], [folder]),
    /CDI device injection failed: .*net\.yaml: /,
  );
});

test("injectDevices: what nobody describes gets Docker's words", async () => {
  await assert.rejects(
    injectDevices([ask({ count: -1 })], [second]),
    /^Fault: could not select device driver "" with capabilities: \[\[gpu\]\]$/,
  );
  await assert.rejects(
    injectDevices([cdi("a.com/b=c")], [first]),
    /^Fault: CDI device injection failed: unresolvable CDI devices a.com\/b=c$/,
  );
});

test("injectDevices: later folders win; files that others can write are refused", async () => {
  const path = join(second, "gpu.json");
  write(path, { kind: "example.com/gpu", devices: [{ name: "1", containerEdits: { env: ["OTHER=1"] } }] });
  assert.deepEqual((await injectDevices([cdi("example.com/gpu=1")], [first, second])).env, ["OTHER=1"]);
  chmodSync(path, 0o666);
  await assert.rejects(
    injectDevices([cdi("example.com/gpu=1")], [first, second]),
    /can be written by others than root/,
  );
  rmSync(path);
});
