import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultCapabilities } from "./capabilities.ts";
import type { ContainerDevices } from "./device-access.ts";
import { defaultDeviceRules, privilegedDeviceRules } from "./devices.ts";
import { bundleText, runtimeSpec, type SpecInputs } from "./spec.ts";
import { plainSpec } from "../testing/plain-spec.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { noLimits } from "./blank-spec.ts";
import { boundMount } from "./spec-mounts.ts";
import { runtimeRlimits } from "./ulimits.ts";

const noDevices: ContainerDevices = {
  nodes: [],
  rules: defaultDeviceRules,
  mounts: [],
  env: [],
  hooks: {},
  groups: [],
  blockDevices: new Map(),
};

const inputs: SpecInputs = {
  spec: plainSpec,
  annotations: {},
  args: ["/bin/sh"],
  env: ["PATH=/bin", "HOSTNAME=abc"],
  workingDir: "/srv",
  hostname: "abc",
  user: { ids: { uid: 0, gid: 0, additionalGids: [0] }, home: "/root" },
  capabilities: defaultCapabilities,
  devices: noDevices,
  rlimits: [],
  rootPath: "/run/x/rootfs",
  cgroupsPath: "/slipway/abc",
  security: { noNewPrivileges: false, labels: [] },
  entered: { network: "/proc/77/ns/net" },
  userMapping: undefined,
  joinedShm: undefined,
  files: { hosts: "/run/x/hosts", hostname: "/run/x/hostname", resolvConf: "/run/x/resolv.conf" },
  mounts: [],
  shimPath: "/usr/lib/slipway/shim",
  facts: { lowestOomScore: -1000, throttleFolders: [], apparmor: false },
};

const cases: Record<string, SpecInputs> = {
  default: inputs,
  everything: {
    ...inputs,
    mounts: [
      boundMount({ target: "/data", readOnly: true, propagation: "rslave" }, "/srv/data", true),
      boundMount({ target: "/etc/hosts", readOnly: false }, "/srv/hosts", false),
      boundMount({ target: "/key", readOnly: true }, "/srv/key", false),
    ],
    annotations: { "org.example.key": "value" },
    user: { ids: { uid: 1000, gid: 77, additionalGids: [77, 10] }, home: "/home/ana" },
    entered: {},
    security: parseSecurityOptions(["no-new-privileges"]),
    facts: {
      lowestOomScore: 1,
      apparmor: false,
      throttleFolders: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
    },
    spec: {
      ...plainSpec,
      tty: true,
      init: true,
      readOnlyRoot: true,
      domainname: "example.org",
      securityOptions: ["no-new-privileges"],
      limits: { ...noLimits, memoryBytes: 64 << 20, nanoCpus: 1_500_000_000, pids: 100 },
      tmpfs: { "/data/cache": "size=1m,exec", "/dev/shm": "mode=700" },
    },
  },
  limited: {
    ...inputs,
    rlimits: runtimeRlimits([{ name: "nofile", soft: 1024, hard: -1 }], [{ name: "core", soft: 0, hard: 0 }], {
      hardLimit: () => 0,
      hasCapability: () => true,
    }),
    devices: {
      nodes: [{ path: "/dev/x", type: "c", major: 10, minor: 200, fileMode: 0o660, uid: 0, gid: 5 }],
      rules: [...defaultDeviceRules, { allow: true, type: "c", major: 10, minor: 200, access: "rw" }],
      mounts: [{ destination: "/usr/lib/gpu", type: "bind", source: "/opt/gpu", options: ["ro", "rbind"] }],
      env: ["GPU=0"],
      hooks: { createContainer: [{ path: "/usr/bin/hook", args: ["hook", "x"] }] },
      groups: [44],
      blockDevices: new Map([["/dev/sda", { major: 8, minor: 0 }]]),
    },
    spec: {
      ...plainSpec,
      oomScoreAdj: 500,
      sysctls: { "net.core.somaxconn": "512" },
      limits: {
        memoryBytes: 64 << 20,
        memorySwapBytes: 128 << 20,
        memoryReservationBytes: 32 << 20,
        memorySwappiness: 0,
        oomKillDisable: true,
        nanoCpus: 0,
        cpuShares: 512,
        cpuQuota: 50_000,
        cpuPeriod: 200_000,
        cpuRealtimePeriod: 1_000_000,
        cpuRealtimeRuntime: 950_000,
        cpusetCpus: "0-1",
        cpusetMems: "0",
        pids: 50,
        blkioWeight: 300,
        blkioWeightDevice: [{ path: "/dev/sda", weight: 200 }],
        readBps: [{ path: "/dev/sda", rate: 1_048_576 }],
        writeBps: [{ path: "/dev/sda", rate: 2_097_152 }],
        readIops: [{ path: "/dev/sda", rate: 100 }],
        writeIops: [{ path: "/dev/sda", rate: 200 }],
      },
    },
  },
  privileged: {
    ...inputs,
    devices: { ...noDevices, rules: privilegedDeviceRules },
    spec: { ...plainSpec, privileged: true, networkMode: "container:abc" },
  },
};

for (const [name, value] of Object.entries(cases)) {
  test(`runtimeSpec: ${name} is as golden/${name}.json says`, () => {
    const path = join(import.meta.dirname, "golden", `${name}.json`);
    const text = `${JSON.stringify(runtimeSpec(value), undefined, 2)}\n`;
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
  });
}

test("bundleText: joins specification and profile into one document, whatever the texts hold", () => {
  const spec = runtimeSpec({ ...inputs, args: ['"}},"linux":{', "\\"] });
  const profile = { defaultAction: "SCMP_ACT_ERRNO" };
  const parsed = JSON.parse(bundleText(spec, JSON.stringify(profile)));
  assert.deepEqual(parsed, JSON.parse(JSON.stringify({ ...spec, linux: { ...spec.linux, seccomp: profile } })));
  assert.deepEqual(JSON.parse(bundleText(spec, undefined)), JSON.parse(JSON.stringify(spec)));
});
