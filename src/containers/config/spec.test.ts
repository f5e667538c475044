import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultCapabilities } from "./capabilities.ts";
import { bundleText, runtimeSpec, type SpecInputs } from "./spec.ts";
import { plainSpec } from "../testing/plain-spec.ts";
import { noLimits } from "./blank-spec.ts";

const inputs: SpecInputs = {
  spec: plainSpec,
  annotations: {},
  args: ["/bin/sh"],
  env: ["PATH=/bin", "HOSTNAME=abc"],
  workingDir: "/srv",
  hostname: "abc",
  user: { ids: { uid: 0, gid: 0, additionalGids: [0] }, home: "/root" },
  capabilities: defaultCapabilities,
  devices: [],
  rootPath: "/run/x/rootfs",
  cgroupsPath: "/slipway/abc",
  networkNamespace: "/proc/77/ns/net",
  files: { hosts: "/run/x/hosts", hostname: "/run/x/hostname", resolvConf: "/run/x/resolv.conf" },
  boundFiles: new Set(["/srv/hosts", "/srv/key"]),
  shimPath: "/usr/lib/slipway/shim",
  facts: { mayLowerOomScore: true, throttleFolders: [], swapLimit: true },
};

const cases: Record<string, SpecInputs> = {
  default: inputs,
  everything: {
    ...inputs,
    annotations: { "org.example.key": "value" },
    user: { ids: { uid: 1000, gid: 77, additionalGids: [77, 10] }, home: "/home/ana" },
    networkNamespace: undefined,
    facts: {
      mayLowerOomScore: false,
      throttleFolders: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
      swapLimit: false,
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
      binds: [
        { source: "/srv/data", target: "/data", readOnly: true, createSource: true, propagation: "rslave" },
        { source: "/srv/hosts", target: "/etc/hosts", readOnly: false, createSource: true, propagation: "rprivate" },
        { source: "/srv/key", target: "/key", readOnly: true, createSource: true, propagation: "rprivate" },
      ],
    },
  },
  privileged: { ...inputs, spec: { ...plainSpec, privileged: true, networkMode: "container:abc" } },
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
