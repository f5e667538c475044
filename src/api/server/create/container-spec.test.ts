import assert from "node:assert/strict";
import { test } from "node:test";
import { checkContainerCreate } from "#api/wire";
import { isFault } from "#core/fault";
import { containerSpec } from "./container-spec.ts";
import { blankSpec } from "#containers";

const defaults = { logDriver: "local", logOptions: {} } as const;

/** What the docker CLI 28 sends for `docker run busybox true`, but for Image and Cmd. */
const cliDefaults = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: ["true"],
  Image: "busybox",
  Volumes: {},
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
  HostConfig: {
    Binds: null,
    ContainerIDFile: "",
    LogConfig: { Type: "", Config: {} },
    NetworkMode: "default",
    PortBindings: {},
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: "",
    VolumesFrom: null,
    ConsoleSize: [24, 80],
    CapAdd: null,
    CapDrop: null,
    CgroupnsMode: "",
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: "",
    Cgroup: "",
    Links: null,
    OomScoreAdj: 0,
    PidMode: "",
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: "",
    UsernsMode: "",
    ShmSize: 0,
    Isolation: "",
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: "",
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    CpuPeriod: 0,
    CpusetCpus: "",
    Devices: [],
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: -1,
    OomKillDisable: false,
    PidsLimit: 0,
    Ulimits: [],
    IOMaximumBandwidth: 0,
    MaskedPaths: null,
    ReadonlyPaths: null,
  },
  NetworkingConfig: {
    EndpointsConfig: {
      default: {
        IPAMConfig: null,
        Links: null,
        Aliases: null,
        MacAddress: "",
        DriverOpts: null,
        GwPriority: 0,
        IPPrefixLen: 0,
      },
    },
  },
};

function specOf(body: object) {
  return containerSpec(checkContainerCreate({ Image: "busybox", ...body }), defaults);
}

test("containerSpec: the docker CLI's own defaults ask for nothing special", () => {
  assert.deepEqual(containerSpec(checkContainerCreate(cliDefaults), defaults), {
    ...blankSpec,
    image: "busybox",
    command: ["true"],
    attach: { stdin: false, stdout: true, stderr: true },
    endpoints: [{ network: "bridge", linkLocal: [], aliases: [], links: [], options: {}, gatewayPriority: 0 }],
  });
});

test("containerSpec: entrypoint and command keep their three states", () => {
  const states = (body: object) => {
    const { entrypoint, command } = specOf(body);
    return { entrypoint, command };
  };
  assert.deepEqual(states({}), { entrypoint: undefined, command: undefined });
  assert.deepEqual(states({ Entrypoint: [], Cmd: [] }), { entrypoint: [], command: [] });
  assert.deepEqual(states({ Entrypoint: [""], Cmd: null }), { entrypoint: [""], command: undefined });
  assert.deepEqual(states({ Entrypoint: "sh", Cmd: ["-c", "ls"] }), { entrypoint: ["sh"], command: ["-c", "ls"] });
});

test("containerSpec: what is not carried yet is refused by its flag and field, never dropped", () => {
  const cases: [object, string][] = [
    [{ OnBuild: ["RUN true"] }, "OnBuild is not supported yet (Config.OnBuild)"],
    [{ HostConfig: { LogConfig: { Type: "gelf" } } }, "--log-driver gelf is not supported (HostConfig.LogConfig)"],
  ];
  for (const [body, message] of cases) {
    assert.throws(
      () => specOf(body),
      (error) => isFault(error, "unsupported") && error.message === message,
      message,
    );
  }
});

test("containerSpec: every field of the docker CLI is either carried or refused", () => {
  const samples: Record<string, unknown> = {
    LogConfig: { Type: "syslog" },
    PortBindings: { "80/tcp": [{ HostPort: "8080" }] },
    RestartPolicy: { Name: "always" },
    BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 10 }],
    BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 10 }],
    Devices: [{ PathOnHost: "/dev/null" }],
    DeviceRequests: [{ Driver: "cdi" }],
    Ulimits: [{ Name: "nofile", Soft: 1, Hard: 1 }],
    Binds: ["/a:/b"],
    VolumesFrom: ["web"],
    ExtraHosts: ["a:1.2.3.4"],
  };
  // Notes of the client to itself.
  const silent = new Set(["ContainerIDFile", "ConsoleSize"]);
  const fields = Object.keys(cliDefaults.HostConfig).filter((name) => !silent.has(name));
  assert.ok(fields.length > 45);
  const plain = JSON.stringify(specOf({}));
  for (const name of fields) {
    const outcomes = (name in samples ? [samples[name]] : ["x", 7, ["x"], true]).map((value) => {
      try {
        return JSON.stringify(specOf({ HostConfig: { [name]: value } })) === plain ? "dropped" : "carried";
      } catch (error) {
        return isFault(error, "unsupported") ? "refused" : "wrong type";
      }
    });
    assert.ok(outcomes.includes("carried") || outcomes.includes("refused"), `${name}: ${outcomes.join(" ")}`);
    assert.ok(!outcomes.includes("dropped"), name);
  }
});

test("containerSpec: ports in all their forms", () => {
  const bindings = {
    "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }, { HostPort: "8000-8010" }],
    "53/udp": [],
    "9000": [{ HostPort: "0" }],
    "90/tcp": null,
  };
  const free = { first: 0, last: 0 };
  assert.deepEqual(
    specOf({ HostConfig: { PortBindings: bindings } }).ports.toSorted((a, b) => a.containerPort - b.containerPort),
    [
      { protocol: "udp", containerPort: 53, hostIp: "", hostPort: free },
      { protocol: "tcp", containerPort: 80, hostIp: "127.0.0.1", hostPort: { first: 8080, last: 8080 } },
      { protocol: "tcp", containerPort: 80, hostIp: "", hostPort: { first: 8000, last: 8010 } },
      { protocol: "tcp", containerPort: 90, hostIp: "", hostPort: free },
      { protocol: "tcp", containerPort: 9000, hostIp: "", hostPort: free },
    ],
  );
  for (const port of ["0/tcp", "70000", "80/xyz", "x", "-1/tcp"]) {
    assert.throws(() => specOf({ ExposedPorts: { [port]: {} } }), /invalid port specification/, port);
  }
  assert.throws(
    () => specOf({ HostConfig: { PortBindings: { "80": [{ HostPort: "9-8" }] } } }),
    /invalid port specification/,
  );
  assert.throws(() => specOf({ HostConfig: { PortBindings: { "80": [{ HostIp: "host" }] } } }), /invalid host IP/);
});

test("containerSpec: binds, mounts and tmpfs", () => {
  const { mounts, tmpfs, volumes, volumesFrom, volumeDriver } = specOf({
    Volumes: { "/own/": {}, "/own": {} },
    HostConfig: {
      Binds: ["/a/../b:/c/:ro,rslave", "/d:/e", "data:/v:nocopy,z", "/anonymous", "/k:/k:U,idmap=uids=0-1-2"],
      Mounts: [
        { Type: "bind", Source: "/f", Target: "/g", ReadOnly: true, BindOptions: { NonRecursive: true } },
        { Type: "tmpfs", Target: "/m", TmpfsOptions: { SizeBytes: 5, Mode: 0o700 } },
        {
          Type: "volume",
          Source: "data",
          Target: "/w",
          VolumeOptions: { Subpath: "a/b", DriverConfig: { Name: "plug", Options: { x: "y" } }, Labels: { l: "1" } },
        },
        { Type: "bind", Source: "/o", Target: "/o", BindOptions: { Chown: true, Idmap: "" } },
        { Type: "volume", Source: "data", Target: "/x", VolumeOptions: { Chown: true, Idmap: "uids=0-1-2" } },
        { Type: "image", Source: "alpine", Target: "/i", ImageOptions: { Subpath: "etc" } },
      ],
      Tmpfs: { "/t/": "size=1m" },
      VolumesFrom: ["web:ro"],
      VolumeDriver: "plug",
    },
  });
  const text = (typed: string) => ({ text: typed });
  const bind = { kind: "bind", readOnly: false, createSource: true, propagation: "rprivate" };
  const volume = { kind: "volume", readOnly: false, driver: "", options: {}, labels: {}, noCopy: false };
  assert.deepEqual(mounts, [
    { ...bind, source: "/b", target: "/c", readOnly: true, propagation: "rslave", ...text("/a/../b:/c/:ro,rslave") },
    { ...bind, source: "/d", target: "/e", ...text("/d:/e") },
    { ...volume, name: "data", target: "/v", noCopy: true, ...text("data:/v:nocopy,z") },
    { ...volume, name: "", target: "/anonymous", ...text("/anonymous") },
    { ...bind, source: "/k", target: "/k", chown: true, idmap: "uids=0-1-2", ...text("/k:/k:U,idmap=uids=0-1-2") },
    { ...bind, source: "/f", target: "/g", readOnly: true, createSource: false, nonRecursive: true },
    { kind: "tmpfs", target: "/m", readOnly: false, sizeBytes: 5, mode: 0o700, options: [] },
    { ...volume, name: "data", target: "/w", driver: "plug", options: { x: "y" }, labels: { l: "1" }, subpath: "a/b" },
    { ...bind, source: "/o", target: "/o", createSource: false, chown: true, idmap: "" },
    { ...volume, name: "data", target: "/x", chown: true, idmap: "uids=0-1-2" },
    { kind: "image", source: "alpine", target: "/i", readOnly: false, subpath: "etc" },
  ]);
  assert.deepEqual([tmpfs, volumes, volumesFrom, volumeDriver], [{ "/t": "size=1m" }, ["/own"], ["web:ro"], "plug"]);
});

test("containerSpec: binds and mounts that make no sense are refused in Docker's words", () => {
  const binds = ["/a:", ":/b", "/a:b", "/a:/", "/a:/b:odd", "/a:/b:ro:z", "/a:/b:ro,rw", "/a:/b:z,Z", "/a:/b:nocopy"];
  for (const bind of [...binds, "a:ro", "a:b"]) {
    assert.throws(
      () => specOf({ HostConfig: { Binds: [bind] } }),
      (error) => isFault(error, "invalid"),
      bind,
    );
  }
  const mounts: [object, string][] = [
    [{ Type: "bind", Source: "/a" }, '"bind": field Target must not be empty'],
    [{ Type: "bind", Target: "/a" }, '"bind": field Source must not be empty'],
    [{ Type: "bind", Source: "a", Target: "/a" }, "\"bind\": invalid mount path: 'a' mount path must be absolute"],
    [{ Type: "bind", Source: "/a", Target: "a" }, "\"bind\": invalid mount path: 'a' mount path must be absolute"],
    [{ Type: "volume", Target: "/" }, "\"volume\": invalid specification: destination can't be '/'"],
    [{ Target: "/a", ReadOnly: true }, '"volume": must not set ReadOnly mode when using anonymous volumes'],
    [{ Target: "/a", VolumeOptions: { Subpath: "x" } }, '"volume": must not set Subpath when using anonymous volumes'],
    [
      { Source: "v", Target: "/a", VolumeOptions: { Subpath: "x/../../y" } },
      '"volume": subpath must be a relative path within the volume',
    ],
    [
      { Source: "v", Target: "/a", VolumeOptions: { Subpath: "/y" } },
      '"volume": subpath must be a relative path within the volume',
    ],
    [{ Type: "tmpfs", Source: "x", Target: "/a" }, '"tmpfs": field Source must not be specified'],
    [{ Type: "image", Target: "/a" }, '"image": field Source must not be empty'],
    [
      { Type: "image", Source: "x", Target: "/a", ImageOptions: { Subpath: ".." } },
      '"image": subpath must be a relative path within the image',
    ],
    [{ Type: "odd", Target: "/a" }, '"odd": mount type unknown'],
    [
      { Type: "bind", Source: "/a", Target: "/a", BindOptions: { Propagation: "up" } },
      '"bind": invalid propagation mode: up',
    ],
    [
      { Type: "bind", Source: "/a", Target: "/a", BindOptions: { ReadOnlyForceRecursive: true } },
      '"bind": mount source must be read-only when ReadOnlyForceRecursive is set',
    ],
  ];
  for (const [mount, reason] of mounts) {
    assert.throws(
      () => specOf({ HostConfig: { Mounts: [mount] } }),
      (error) => isFault(error, "invalid") && error.message === `invalid mount config for type ${reason}`,
      reason,
    );
  }
});
