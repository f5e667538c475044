import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseFlags } from "../flags/parse.ts";
import { containerFlags } from "./container-flags.ts";
import { createRequest } from "./create-request.ts";
import { readEnv, readLabels } from "./env.ts";
import { readMount } from "./mounts.ts";
import { readPorts } from "./ports.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-request-"));
after(() => rm(folder, { recursive: true, force: true }));

function requestOf(...argv: string[]) {
  const { args, changed, values } = parseFlags(containerFlags, argv, false);
  const [image = "", ...command] = args;
  return createRequest(values, changed, image, command);
}

test("createRequest: without flags it asks for nothing special", () => {
  const { HostConfig, NetworkingConfig, ...config } = requestOf("image");
  assert.deepEqual([config.Image, config.Cmd, config.Entrypoint, config.Env], ["image", null, null, []]);
  assert.deepEqual(
    [config.AttachStdin, config.AttachStdout, config.AttachStderr, config.OpenStdin],
    [false, true, true, false],
  );
  assert.deepEqual(NetworkingConfig, { EndpointsConfig: { default: {} } });
  const set = Object.entries(HostConfig ?? {}).filter(([, value]) => !isEmpty(value));
  assert.deepEqual(Object.fromEntries(set), {
    LogConfig: { Type: "", Config: {} },
    NetworkMode: "default",
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    MemorySwappiness: -1,
  });
});

test("createRequest: the flags of everyday, as Docker sends them", () => {
  const request = requestOf(
    ..."-it --rm -u 1:2 -w /srv -h box -m 512m --cpus 1.5 --pids-limit 9 --restart no --network none --cap-add net_admin".split(
      " ",
    ),
    ..."--security-opt no-new-privileges --init --read-only --tmpfs /run:size=1m --entrypoint sh --stop-timeout 0 image -c x".split(
      " ",
    ),
  );
  assert.deepEqual([request.Tty, request.OpenStdin, request.StdinOnce, request.AttachStdin], [true, true, true, true]);
  assert.deepEqual([request.Entrypoint, request.Cmd, request.StopTimeout], [["sh"], ["-c", "x"], 0]);
  const host = request.HostConfig ?? {};
  assert.deepEqual(
    [host.Memory, host.NanoCpus, host.PidsLimit, host.AutoRemove],
    [536_870_912, 1_500_000_000, 9, true],
  );
  assert.deepEqual(
    [host.NetworkMode, host.CapAdd, host.SecurityOpt],
    ["none", ["CAP_NET_ADMIN"], ["no-new-privileges"]],
  );
  assert.deepEqual([host.Init, host.ReadonlyRootfs, host.Tmpfs], [true, true, { "/run": "size=1m" }]);
});

test("createRequest: flags that the engine does not know yet are sent, not swallowed", () => {
  const { HostConfig: host = {} } = requestOf(
    ..."--cpu-shares 3 --memory-swap -1 --ulimit nofile=1:2 --device /dev/null:/dev/n:r --sysctl a=1 --gpus all".split(
      " ",
    ),
    ..."--blkio-weight 5 --device-read-bps /dev/a:1m --userns host --volumes-from v --link a:b image".split(" "),
  );
  assert.deepEqual([host.CpuShares, host.MemorySwap, host.BlkioWeight, host.UsernsMode], [3, -1, 5, "host"]);
  assert.deepEqual(host.Ulimits, [{ Name: "nofile", Hard: 2, Soft: 1 }]);
  assert.deepEqual(host.Devices, [{ PathOnHost: "/dev/null", PathInContainer: "/dev/n", CgroupPermissions: "r" }]);
  assert.deepEqual([host.Sysctls, host.VolumesFrom, host.Links], [{ a: "1" }, ["v"], ["a:b"]]);
  assert.deepEqual(host.BlkioDeviceReadBps, [{ Path: "/dev/a", Rate: 1_048_576 }]);
  assert.equal(host.DeviceRequests?.length, 1);
});

test("createRequest: networks with addresses and aliases", () => {
  assert.deepEqual(requestOf("--network", "name=n,alias=a,ip=1.2.3.4", "i").NetworkingConfig?.EndpointsConfig, {
    n: { Aliases: ["a"], IPAMConfig: { IPv4Address: "1.2.3.4" } },
  });
});

test("readPorts: every form of -p, and Docker's refusals", () => {
  const { bindings, exposed } = readPorts(
    ["80", "8080:80", "127.0.0.1:90:90/udp", "7000-7001:70-71", "9000-9010:99", "[::1]:53:53"],
    ["5-6/udp"],
  );
  assert.deepEqual(bindings, {
    "80/tcp": [
      { HostIp: "", HostPort: "" },
      { HostIp: "", HostPort: "8080" },
    ],
    "90/udp": [{ HostIp: "127.0.0.1", HostPort: "90" }],
    "70/tcp": [{ HostIp: "", HostPort: "7000" }],
    "71/tcp": [{ HostIp: "", HostPort: "7001" }],
    "99/tcp": [{ HostIp: "", HostPort: "9000-9010" }],
    "53/tcp": [{ HostIp: "::1", HostPort: "53" }],
  });
  assert.ok("5/udp" in exposed && "6/udp" in exposed && "80/tcp" in exposed);
  assert.deepEqual(readPorts(["target=80,published=8080,protocol=udp"], []).bindings, {
    "80/udp": [{ HostIp: "", HostPort: "8080" }],
  });
  for (const [text, words] of [
    ["80:80:80:80", /invalid IP address: 80:80/],
    ["x", /invalid containerPort: x/],
    ["x:80", /invalid hostPort: x/],
    ["80/foo", /invalid proto: foo/],
    ["1-3:1-2", /invalid ranges specified/],
    ["70000", /invalid containerPort/],
    ["80:", /no port specified/],
  ] as const) {
    assert.throws(() => readPorts([text], []), words, text);
  }
});

test("readMount: bind and tmpfs, and what is missing", () => {
  assert.deepEqual(readMount("type=bind,src=/a,dst=/b,readonly"), {
    Type: "bind",
    Source: "/a",
    Target: "/b",
    ReadOnly: true,
  });
  assert.deepEqual(readMount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777").TmpfsOptions, {
    SizeBytes: 1_048_576,
    Mode: 0o1777,
  });
  assert.throws(() => readMount("type=bind,src=/a"), /target is required/);
  assert.throws(() => readMount("target=/a,zork=1"), /unexpected key 'zork'/);
});

test("readEnv and readLabels: Docker's file format", async () => {
  const file = join(folder, "env");
  await writeFile(file, '\uFEFF# note\nA=b c\n  LEAD=x \nHOME\nNO_SUCH_NAME\nQ="q"\n\r\nE=\n');
  assert.deepEqual(readEnv([file], ["Z=1"]), ["A=b c", "LEAD=x ", `HOME=${process.env["HOME"]}`, 'Q="q"', "E=", "Z=1"]);
  assert.deepEqual(readLabels([file], ["A=z", "l"])["A"], "z");
  await writeFile(file, "a b=c\n");
  assert.throws(() => readEnv([file], []), /variable 'a b' contains whitespaces/);
  await writeFile(file, "=c\n");
  assert.throws(() => readEnv([file], []), /no variable name on line '=c'/);
  assert.throws(() => readEnv(["/nowhere"], []), /^Error: open \/nowhere: no such file or directory$/);
});

test("containerFlags: values are checked where they are given", () => {
  const refused = (...argv: string[]): RegExp | string => {
    try {
      parseFlags(containerFlags, argv, false);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  assert.equal(
    refused("--dns", "foo"),
    'invalid argument "foo" for "--dns" flag: IP address is not correctly formatted: foo',
  );
  assert.equal(
    refused("--add-host", "foo"),
    'invalid argument "foo" for "--add-host" flag: bad format for add-host: "foo"',
  );
  assert.equal(
    refused("-a", "foo"),
    'invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR',
  );
  assert.equal(refused("-e", "="), 'invalid argument "=" for "-e, --env" flag: invalid environment variable: =');
});

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
