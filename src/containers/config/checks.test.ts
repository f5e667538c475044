import assert from "node:assert/strict";
import { test } from "node:test";
import { type FaultKind, isFault } from "#core/fault";
import { type CheckFacts, checkSpec, parseExtraHost } from "./checks.ts";
import { parseSize } from "#core/size";
import type { ContainerSpec, MountRequest } from "../containers.ts";
import { plainSpec } from "../testing/plain-spec.ts";

const bind: MountRequest = {
  kind: "bind",
  source: "/s",
  target: "/t",
  readOnly: false,
  createSource: true,
  propagation: "rprivate",
};
const port = { protocol: "tcp" as const, containerPort: 80, hostIp: "", hostPort: { first: 0, last: 0 } };
const facts: CheckFacts = { hardLimit: () => 100, hasCapability: () => false, lowestOomScore: 0, selinux: false };

const cases: [Partial<ContainerSpec>, FaultKind, RegExp][] = [
  [{ hostname: "-x" }, "invalid", /^invalid hostname format: -x$/],
  [{ hostname: "a".repeat(64) }, "invalid", /^invalid hostname format/],
  [{ env: ["=x"] }, "invalid", /^invalid environment variable: =x$/],
  [{ env: ["A=\0"] }, "invalid", /NUL byte/],
  [{ command: ["a\0b"] }, "invalid", /NUL byte/],
  [{ oomScoreAdj: -1001 }, "invalid", /^Invalid value -1001, range for oom score adj is \[-1000, 1000\]$/],
  [{ oomScoreAdj: 1001 }, "invalid", /^Invalid value 1001/],
  [{ deviceRules: ["c 1:x r"] }, "invalid", /^invalid device cgroup rule format: 'c 1:x r'$/],
  [{ storageOptions: { colour: "red" } }, "invalid", /^Unknown option colour$/],
  [{ storageOptions: { size: "much" } }, "invalid", /^invalid size: 'much'$/],
  [{ storageOptions: { size: "15m" } }, "invalid", /is not between 16m and 16t$/],
  [{ storageOptions: { size: "17t" } }, "invalid", /is not between 16m and 16t$/],
  [{ ulimits: [{ name: "files", soft: 1, hard: 1 }] }, "invalid", /^invalid ulimit type: files$/],
  [{ sysctls: { "kernel.panic": "1" } }, "invalid", /^sysctl "kernel.panic" is not in a separate kernel namespace$/],
  [{ mounts: [bind], tmpfs: { "/t": "" } }, "invalid", /^Duplicate mount point: \/t$/],
  [{ mounts: [{ ...bind, target: "/proc" }] }, "invalid", /^"\/proc" cannot be mounted because it is inside \/proc$/],
  [{ mounts: [{ ...bind, target: "/proc/sys" }] }, "invalid", /^"\/proc\/sys" cannot be mounted/],
  [{ tmpfs: { "/proc": "" } }, "invalid", /inside \/proc/],
  [{ volumes: ["/proc/x"] }, "invalid", /inside \/proc/],
  [{ mounts: [bind, bind] }, "invalid", /^Duplicate mount point: \/t$/],
  [{ mounts: [{ ...bind, source: "/etc", chown: true }] }, "invalid", /^chowning a system path is not allowed: \/etc$/],
  [{ mounts: [{ ...bind, idmap: "uids=1" }] }, "invalid", /^invalid idmap: "uids=1"$/],
  [
    { mounts: [{ kind: "tmpfs", target: "/t", readOnly: false, sizeBytes: 0, mode: 0, options: [["fast"]] }] },
    "invalid",
    /invalid tmpfs option \["fast"\]/,
  ],
  [{ tmpfs: { "/t": "size=1m,colour=red" } }, "invalid", /invalid tmpfs option \["colour=red"\]/],
  [{ securityOptions: ["fly=1"] }, "invalid", /^invalid --security-opt 2: "fly=1"$/],
  [{ namespaces: { ...plainSpec.namespaces, uts: "host" }, hostname: "h" }, "invalid", /hostname and the UTS mode$/],
  [{ securityOptions: ["fly"] }, "invalid", /^invalid --security-opt 1: "fly"$/],
  [{ logging: { driver: "local", options: { "max-size": "x" } } }, "invalid", /invalid value for log opt 'max-size'/],
  [{ logging: { driver: "local", options: { tag: "x" } } }, "invalid", /^unknown log opt 'tag' for local log driver$/],
  [{ extraHosts: ["db"] }, "invalid", /^bad format for add-host: "db"$/],
  [{ dns: ["nope"] }, "invalid", /^bad nameserver address: ParseAddr\("nope"\): unable to parse IP$/],
  [{ dnsSearch: ["a\nnameserver 192.0.2.1"] }, "invalid", /^bad DNS option or domain: /],
  [{ annotations: { "": "x" } }, "invalid", /the empty string is not permitted as an annotation key$/],
  [
    { devices: [{ hostPath: "/dev/null", containerPath: "/dev/x", permissions: "rwx" }] },
    "invalid",
    /^invalid device mode: "rwx"$/,
  ],
  [{ extraHosts: ["db:nowhere"] }, "invalid", /^invalid IP address in add-host: "nowhere"$/],
  [{ annotations: { "run.oci.handler": "krun" } }, "forbidden", /reserved for the OCI runtime/],
  [{ networkMode: "container:x", hostname: "h" }, "invalid", /^conflicting options: hostname and the network mode$/],
  [{ networkMode: "container:x", ports: [port] }, "invalid", /port publishing and the container type network mode/],
  [{ networkMode: "container:x", dns: ["1.1.1.1"] }, "invalid", /^conflicting options: dns and the network mode$/],
];

for (const [change, kind, message] of cases) {
  test(`checkSpec: refuses ${JSON.stringify(change).slice(0, 90)}`, () => {
    assert.throws(
      () => checkSpec({ ...plainSpec, ...change }, facts),
      (error) => isFault(error, kind) && message.test(error.message),
    );
  });
}

test("checkSpec: lets ordinary requests pass, and warns of ports that the host's network makes void", () => {
  const spec: ContainerSpec = {
    ...plainSpec,
    hostname: "web.example",
    env: ["A=1", "GONE"],
    ulimits: [{ name: "nofile", soft: 50, hard: 100 }],
    sysctls: { "kernel.msgmax": "10" },
    deviceRules: ["c 1:* rw"],
    oomScoreAdj: 500,
    mounts: [bind],
    tmpfs: { "/run": "size=64m,mode=1777,exec", "/x": "" },
    securityOptions: ["no-new-privileges:true", "seccomp=unconfined"],
    logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
    extraHosts: ["a:1.2.3.4", "b=::1", "c:[fe80::1]", "d:host-gateway"],
  };
  assert.deepEqual(checkSpec(spec, facts), []);
  assert.deepEqual(checkSpec({ ...spec, networkMode: "host", ports: [port] }, facts), [
    "Published ports are discarded when using host network mode",
  ]);
});

test("checkSpec: warns of what the daemon may not give, when it lacks CAP_SYS_RESOURCE", () => {
  const spec = { ...plainSpec, oomScoreAdj: -5, ulimits: [{ name: "nofile", soft: 50, hard: -1 }] };
  assert.deepEqual(checkSpec(spec, facts), [
    "The daemon may not lower the OOM score below its own 0 (it lacks CAP_SYS_RESOURCE). That is used.",
    "The daemon may not raise ulimit nofile above its own 100 (it lacks CAP_SYS_RESOURCE). That is used.",
  ]);
  assert.deepEqual(checkSpec(spec, { ...facts, hasCapability: () => true, lowestOomScore: -1000 }), []);
});

test("checkSpec: files of /proc that tools replace may be, and the host's /proc may be shown", () => {
  for (const target of ["/proc/cpuinfo", "/proc/net/dev", "/process"]) {
    assert.deepEqual(checkSpec({ ...plainSpec, mounts: [{ ...bind, target }] }, facts), []);
  }
  assert.deepEqual(checkSpec({ ...plainSpec, mounts: [{ ...bind, source: "/proc", target: "/proc" }] }, facts), []);
});

test("parseExtraHost: names and addresses", () => {
  assert.deepEqual(parseExtraHost("six:[2001:db8::1]"), { name: "six", ip: "2001:db8::1" });
  assert.deepEqual(parseExtraHost("six:2001:db8::1"), { name: "six", ip: "2001:db8::1" });
});

test("parseSize: bytes with and without units", () => {
  assert.deepEqual(["5", "1k", "1.5m", "2GB", "3 gib", "x", ""].map(parseSize), [
    5,
    1024,
    1.5 * 1024 ** 2,
    2 * 1024 ** 3,
    3 * 1024 ** 3,
    undefined,
    undefined,
  ]);
});
