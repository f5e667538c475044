import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { dockerProgram } from "#fixtures/docker";
import { type FakeEngine, startFakeEngine } from "#fixtures/fake-engine";
import { type Outcome, runProgram } from "#fixtures/program";
import { runFlags } from "#fixtures/run-flags";
import { parseFlags } from "../flags/parse.ts";
import { containerFlags } from "./container-flags.ts";
import { createRequest } from "./create-request.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-parity-"));
const rows = Object.values(runFlags({ folder, cgroupParent: "/parent", blockDevice: "/dev/null" })).flat();
/** One flag at a time, as the table of flags has them; then forms that the table has no use for. */
const commandLines: readonly (readonly string[])[] = [
  ...rows.filter(({ refusedWith, isOfRunOnly }) => refusedWith !== 1 && isOfRunOnly !== true).map(({ args }) => args),
  ["-it"],
  ["-i", "-a", "stdin", "-a", "stdout"],
  ["-e", "HOME", "-e", "NOT_SET_ANYWHERE", "-e", "EMPTY=", "--env-file", join(folder, "env")],
  ["--label-file", join(folder, "labels"), "-l", "bare", "-l", "k=v=w"],
  ["-p", "80", "-p", "8080:80/udp", "-p", "127.0.0.1:7000-7001:70-71", "-p", "[::1]:53:53", "-p", "9000-9010:99"],
  ["-p", "target=80,published=8080,protocol=udp", "--expose", "1-3", "--expose", "5/udp"],
  ["-v", "/a:/b", "-v", "/a:/c:ro,z", "-v", "name:/d", "-v", "/anonymous"],
  ["--mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"],
  ["--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770"],
  ["--mount", "type=volume,src=v,dst=/v,volume-nocopy"],
  ["--mount", "src=v,target=/v,volume-subpath=a/b,volume-driver=d,volume-opt=a=b,volume-opt=c,volume-label=l=1"],
  ["--mount", 'type=volume,src=v,dst=/v,"volume-opt=o=addr=192.0.2.1,rw",volume-opt=type=nfs'],
  ["--mount", "dst=/v", "--mount", "TYPE=Image,src=alpine,dst=/i,image-subpath=etc"],
  ["--mount", "type=bind,src=/a,dst=/b,ro=1,bind-recursive=writable,consistency=Cached"],
  ["--mount", "type=bind,src=/a,dst=/b,readonly,bind-recursive=readonly,bind-propagation=rprivate"],
  ["--mount", "type=bind,src=/a,dst=/b,bind-recursive=disabled"],
  ["--mount", "type=bind,src=/a,dst=/b,bind-recursive=enabled,readonly=false"],
  ...[
    "type=bind,src=/a",
    "type=bind,src=/a,dst=/b,bind-recursive=readonly",
    "type=bind,src=/a,dst=/b,bind-recursive=writable",
    "type=bind,src=/a,dst=/b,bind-recursive=often",
    "type=bind,src=/a,dst=/b,volume-nocopy",
    "type=tmpfs,dst=/b,volume-opt=a=b",
    "type=tmpfs,dst=/b,tmpfs-size=much",
    "type=tmpfs,dst=/b,tmpfs-mode=9",
    "type=volume,dst=/b,volume-nocopy=maybe",
    "type=volume,dst=/b,readonly=maybe",
    "type=bind,dst",
    "type=bind,src=/a,dst=/b,colour=red",
  ].map((item) => ["--mount", item]),
  ...["/a:/b:c:d", ":/b", "/a:", "/a::/b", "a:b:ro", "./x:/b", "~/x:/b", "/x:ro"].map((item) => ["-v", item]),
  ["--tmpfs", "/x", "--tmpfs", "/y:rw,size=1m"],
  ["--network", "none"],
  ["--network", "host", "--ipc", "host", "--pid", "host", "--uts", "host"],
  ["--network", "name=n,alias=a,ip=1.2.3.4"],
  ["--network", "n", "--network", "m"],
  [
    "--network",
    "name=n,alias=a,alias=b,ip=1.2.3.4,ip6=::5,link-local-ip=169.254.0.3,mac-address=02:42:ac:11:00:99,driver-opt=a=b,gw-priority=-3",
    "--network",
    "name=m,driver-opt=A=B=C,driver-opt=c=d",
  ],
  ["--network", "NAME=n,ALIAS=A"],
  ["--network", 'name=n,"alias=a"'],
  ["--network", "name=n,alias="],
  ["--network", "n", "--network-alias", "db", "--network-alias", "store", "--network", "m"],
  ["--net", "n", "--net-alias", "db"],
  ["--network", "n", "--link", "x:y", "--link", "z"],
  ["--network", "host", "--ip", "1.2.3.4"],
  ["--network", "container:x"],
  ["--network", "name=n,ip=x", "--network", "name=m,link-local-ip=zz"],
  ["--link-local-ip", "169.254.0.3,169.254.0.4"],
  ...[
    "alias=a",
    "name=,alias=x",
    "name=n,foo=a",
    "name=n,alias",
    "name=n,driver-opt=a",
    "name=n,gw-priority=x",
    "name=n,mac-address=zz",
    "name=host,alias=x",
    "",
  ].map((item) => ["--network", item]),
  ["--mac-address", "02:42:ac:11:00"],
  ["--mac-address", "0242.ac11.0002"],
  ["--link", "a:b:c"],
  ["--link", ""],
  ["--network", "none", "--network-alias", "db"],
  ["--network", "name=n,alias=a", "--network-alias", "db"],
  ["--network", "name=n,ip=1.2.3.4", "--ip", "1.2.3.5"],
  ["--network", "name=n,ip6=::1", "--ip6", "::2"],
  ["--network", "name=n,mac-address=02:42:ac:11:00:99", "--mac-address", "02:42:ac:11:00:98"],
  ["--network", "name=n,link-local-ip=169.254.0.3", "--link-local-ip", "169.254.0.4"],
  ["--network", "host", "--network", "n"],
  ["--network", "container:x", "--network", "n"],
  ["--network", "n", "--network", "n"],
  [
    "--network",
    "n",
    "--ip",
    "1.2.3.4",
    "--ip6",
    "::4",
    "--mac-address",
    "02:42:ac:11:00:99",
    "--link-local-ip",
    "169.254.1.9",
  ],
  [
    "-m",
    "1.5g",
    "--memory-swap",
    "-1",
    "--memory-reservation",
    "100m",
    "--kernel-memory",
    "16m",
    "--memory-swappiness",
    "0",
  ],
  ["--cpus", "0.001", "--cpu-shares", "7", "--cpuset-cpus", "0-1", "--cpuset-mems", "0"],
  [
    "--device",
    "/dev/null",
    "--device",
    "/dev/null:/dev/a",
    "--device",
    "/dev/null:rw",
    "--device",
    "/dev/null:/dev/b:m",
  ],
  ["--device", "vendor.test/class=all", "--gpus", "2"],
  ["--gpus", "all"],
  ["--gpus", '"device=0,1",capabilities=utility,driver=nvidia'],
  ["--ulimit", "nofile=1:2", "--ulimit", "core=-1", "--ulimit", "nproc=3"],
  ["--health-cmd", "x", "--health-interval", "1m30s", "--health-timeout", "500ms", "--health-retries", "0"],
  ["--health-interval", "5s"],
  ["--restart", "on-failure"],
  ["--restart", "always"],
  ["--entrypoint", ""],
  ["--entrypoint", "a b"],
  [
    "--security-opt",
    "no-new-privileges:true",
    "--security-opt",
    "label=disable",
    "--security-opt",
    "systempaths=unconfined",
  ],
  ["--security-opt", `seccomp=${join(folder, "profile")}`],
  ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
  ["--cap-add", "ALL", "--cap-add", "CAP_SYS_TIME", "--cap-drop", "chown"],
  ["--dns", "192.0.2.1", "--dns-opt", "a", "--dns-option", "b", "--dns-search", "."],
  ["--add-host", "a:1.2.3.4", "--add-host", "b=::1", "--add-host", "c:[::1]", "--add-host", "d:host-gateway"],
  [
    "--log-driver",
    "syslog",
    "--log-opt",
    "a=b=c",
    "--storage-opt",
    "size=1G",
    "--sysctl",
    "net.a=b=c",
    "--annotation",
    "a=b",
  ],
  ["--pids-limit", "-1", "--oom-score-adj", "-5", "--oom-kill-disable", "--shm-size", "1k", "--blkio-weight", "10"],
  ["--init=false", "--read-only", "--rm", "-P", "--privileged", "--no-healthcheck"],
  ["--stop-timeout", "0", "--stop-signal", "9", "--group-add", "1", "--userns", "host", "--cgroupns", "private"],
  ["--volumes-from", "a:ro", "--volume-driver", "d", "--link", "a:b", "--isolation", "default", "--runtime", "r"],
];

/** Where our client knowingly does otherwise. */
const differences: Readonly<Record<string, string>> = {
  "--use-api-socket": "the socket is that of the engine, not always /var/run/docker.sock",
  "--sysctl kernel.panic=5": "the engine refuses it",
};

let engine: FakeEngine;
before(async () => {
  await writeFile(join(folder, "env"), "# note\nFROM_FILE=a b\nHOME\nNOT_SET_ANYWHERE\n");
  await writeFile(join(folder, "labels"), "from-file=yes\nbare-from-file\n");
  await writeFile(join(folder, "profile"), '{ "defaultAction": "SCMP_ACT_ALLOW" }\n');
  engine = await startFakeEngine({
    "HEAD /_ping": { text: "", type: "text/plain" },
    "POST /containers/create": { status: 201, json: { Id: "0".repeat(64), Warnings: [] } },
  });
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the same create request as Docker's client sends", { concurrency: 2 }, () => {
  for (const [index, args] of commandLines.entries()) {
    const difference = differences[args.join(" ")];
    if (difference !== undefined) continue;
    test(args.join(" ").replaceAll(folder, "…"), async () => {
      const { sent, outcome } = await sentByDocker(args, `image-${index}`);
      if (sent === undefined) {
        assert.throws(
          () => sentByUs(args, `image-${index}`),
          (error: Error) => !args.join(" ").includes("--net") || outcome.stderr.includes(error.message),
          outcome.stderr,
        );
      } else assert.deepEqual(filled(sentByUs(args, `image-${index}`)), filled(sent));
    });
  }
});

/** What the unmodified client sends; undefined when it refuses the command line itself. */
async function sentByDocker(args: readonly string[], image: string): Promise<{ sent: unknown; outcome: Outcome }> {
  const env = { DOCKER_HOST: engine.host, DOCKER_CONFIG: folder };
  const outcome = await runProgram(await dockerProgram(), ["create", ...args, image, "program", "-x"], { env });
  const request = engine.seen.find(({ body }) => body.includes(`"${image}"`));
  return { sent: request === undefined ? undefined : JSON.parse(request.body), outcome };
}

function sentByUs(argv: readonly string[], image: string): unknown {
  const { args, changed, values } = parseFlags(containerFlags, [...argv, image, "program", "-x"], false);
  const [name = "", ...command] = args;
  return JSON.parse(JSON.stringify(createRequest(values, changed, name, command)));
}

/** Without what is empty, as the engine takes it, and the clients' notes to themselves. Empty lists that mean "none" stay. */
function filled(value: unknown, key = ""): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => filled(item));
    return unordered.has(key)
      ? items.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
      : items;
  }
  const entries = Object.entries(value)
    .map(([name, inner]): [string, unknown] => [name, filled(inner, name)])
    .filter(
      ([name, inner]) =>
        !notes.has(name) && ((meaningful.has(name) && inner !== null) || ofNames.has(key) || !isEmpty(inner)),
    );
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** Docker's client puts these into an order of its own. */
const unordered = new Set(["Binds", "Env", "Ulimits", "DnsOptions", "DeviceRequests"]);
const notes = new Set(["ConsoleSize", "ContainerIDFile"]);
/** Their keys are the point, also with nothing behind them. */
const ofNames = new Set(["Volumes", "EndpointsConfig"]);
const meaningful = new Set(["MaskedPaths", "ReadonlyPaths", "Entrypoint", "Init"]);

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === null || value === "" || value === 0 || value === false;
}
