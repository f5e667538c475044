import { isIP } from "node:net";
import * as flag from "../flags/flag.ts";
import { checkLink, checkNetwork } from "./endpoints.ts";
import { checkEnv } from "./env.ts";
import { readMount } from "./mounts.ts";
import { checkUlimit } from "./ulimit.ts";

const network = { group: "Network" };
const storage = { group: "Storage" };
const limits = { group: "Limit" };
const isolation = { group: "Isolation" };
const health = { group: "Health" };
const streams = new Set(["STDIN", "STDOUT", "STDERR"]);

/** The flags that `run` and `create` share: Docker's names and meanings. */
export const containerFlags = {
  annotation: flag.list("Add an annotation, handed on to the OCI runtime", { typeName: "map" }),
  attach: flag.list("Connect to STDIN, STDOUT or STDERR", { short: "a", check: checkStream }),
  cidfile: flag.text("Write the container's id to this file"),
  entrypoint: flag.text("Program to run instead of the image's ENTRYPOINT"),
  env: flag.list("Set an environment variable; NAME alone takes it from here", { short: "e", check: checkEnv }),
  "env-file": flag.list("Read environment variables from a file"),
  init: flag.toggle("Run an init inside that forwards signals and reaps processes"),
  interactive: flag.toggle("Keep STDIN open even if not attached", { short: "i" }),
  label: flag.list("Set a label", { short: "l" }),
  "label-file": flag.list("Read labels from a file"),
  "log-driver": flag.text("Where the output is logged: local, json-file, syslog, fluentd or none"),
  "log-opt": flag.list("Option of the log driver, such as max-size=10m"),
  name: flag.text("Name of the container; generated when not given"),
  platform: flag.text("Platform of the image, such as linux/arm64"),
  pull: flag.text('When to pull the image: "always", "missing" or "never"', { initial: "missing" }),
  quiet: flag.toggle("Show nothing of the pull", { short: "q" }),
  restart: flag.text("What to do when it exits: no, always, unless-stopped, on-failure[:times]", { initial: "no" }),
  rm: flag.toggle("Remove the container and its anonymous volumes when it exits"),
  runtime: flag.text("OCI runtime to use"),
  "stop-signal": flag.text("Signal that stops the container"),
  "stop-timeout": flag.integer("Seconds that a stop waits before it kills"),
  tty: flag.toggle("Give it a terminal", { short: "t" }),
  user: flag.text("Who runs it: <name|uid>[:<group|gid>]", { short: "u" }),
  workdir: flag.text("Folder inside the container to start in", { short: "w" }),

  "add-host": flag.list("Add a name to /etc/hosts (host:ip; host-gateway as ip is this machine)", {
    ...network,
    check: checkHost,
  }),
  dns: flag.list("DNS server", { ...network, check: checkAddress }),
  "dns-option": flag.list("DNS option", network),
  "dns-opt": flag.list("DNS option", { ...network, hidden: true }),
  "dns-search": flag.list("DNS search domain", network),
  domainname: flag.text("NIS domain name", network),
  expose: flag.list("Expose a port or range", network),
  hostname: flag.text("Host name", { ...network, short: "h" }),
  ip: flag.text("IPv4 address", network),
  ip6: flag.text("IPv6 address", network),
  link: flag.list("Add a link to another container", { ...network, check: checkLink }),
  "link-local-ip": flag.list("Link-local address", network),
  "mac-address": flag.text("MAC address", network),
  network: flag.list(
    "Network to join: bridge, none, host, container:NAME or a network's name; or name=…,alias=…,ip=…",
    {
      ...network,
      typeName: "network",
      check: checkNetwork,
    },
  ),
  net: flag.list("Network to join", { ...network, hidden: true, typeName: "network", check: checkNetwork }),
  "network-alias": flag.list("Name of the container in its network", network),
  "net-alias": flag.list("Name of the container in its network", { ...network, hidden: true }),
  publish: flag.list("Make a port reachable: [IP:][HOST-PORT:]CONTAINER-PORT[/udp]", { ...network, short: "p" }),
  "publish-all": flag.toggle("Make all exposed ports reachable on free ones", { ...network, short: "P" }),

  device: flag.list("Add a device of this machine", storage),
  "device-cgroup-rule": flag.list("Add a rule to the list of allowed devices", storage),
  gpus: flag.list("GPUs to add ('all' for all)", { ...storage, typeName: "gpu-request" }),
  mount: flag.list("Mount something: type=bind|volume|tmpfs|image,source=…,target=…[,readonly]", {
    ...storage,
    typeName: "mount",
    check: checkMount,
  }),
  "read-only": flag.toggle("Make the root filesystem read-only", storage),
  "storage-opt": flag.list("Option of the storage driver", storage),
  tmpfs: flag.list("Mount a tmpfs: PATH[:OPTIONS]", storage),
  volume: flag.list("Mount a folder or volume: [HOST|VOLUME:]CONTAINER[:ro,U,…]", { ...storage, short: "v" }),
  "volume-driver": flag.text("Driver of its volumes", storage),
  "volumes-from": flag.list("Take over the volumes of another container", storage),

  "blkio-weight": flag.integer("Relative weight of block I/O, 10 to 1000", limits),
  "blkio-weight-device": flag.list("The same for one device: PATH:WEIGHT", limits),
  "cgroup-parent": flag.text("Parent of the container's cgroup", limits),
  "cpu-count": flag.integer("CPU count (Windows only)", { ...limits, hidden: true }),
  "cpu-percent": flag.integer("CPU percent (Windows only)", { ...limits, hidden: true }),
  "cpu-period": flag.integer("CFS period in microseconds", limits),
  "cpu-quota": flag.integer("CFS quota in microseconds", limits),
  "cpu-rt-period": flag.integer("Real-time period in microseconds", limits),
  "cpu-rt-runtime": flag.integer("Real-time runtime in microseconds", limits),
  "cpu-shares": flag.integer("Relative weight of CPU time", { ...limits, short: "c" }),
  cpus: flag.cpus("Number of CPUs", limits),
  "cpuset-cpus": flag.text("CPUs to run on (0-3, 0,1)", limits),
  "cpuset-mems": flag.text("Memory nodes to use (0-3, 0,1)", limits),
  "device-read-bps": flag.list("Limit reading from a device: PATH:BYTES", limits),
  "device-read-iops": flag.list("Limit reads from a device: PATH:NUMBER", limits),
  "device-write-bps": flag.list("Limit writing to a device: PATH:BYTES", limits),
  "device-write-iops": flag.list("Limit writes to a device: PATH:NUMBER", limits),
  "io-maxbandwidth": flag.bytes("I/O bandwidth (Windows only)", { ...limits, hidden: true }),
  "io-maxiops": flag.integer("I/O operations (Windows only)", { ...limits, hidden: true, typeName: "uint" }),
  "kernel-memory": flag.bytes("Accepted and without effect, as kernels have no such limit any more", {
    ...limits,
    hidden: true,
  }),
  memory: flag.bytes("Memory limit, such as 512m", { ...limits, short: "m" }),
  "memory-reservation": flag.bytes("Soft memory limit", limits),
  "memory-swap": flag.bytes("Limit of memory and swap together; -1: as much swap as there is", {
    ...limits,
    allowMinusOne: true,
  }),
  "memory-swappiness": flag.integer("How readily to swap, 0 to 100", { ...limits, initial: -1 }),
  "oom-kill-disable": flag.toggle("Do not kill it when memory runs out", limits),
  "oom-score-adj": flag.integer("Preference when memory runs out, -1000 to 1000", limits),
  "pids-limit": flag.integer("Greatest number of processes; -1: no limit", limits),
  "shm-size": flag.bytes("Size of /dev/shm", limits),
  ulimit: flag.list("Limit of a resource: NAME=SOFT[:HARD]", { ...limits, typeName: "ulimit", check: checkUlimit }),

  "cap-add": flag.list("Give it a Linux capability", isolation),
  "cap-drop": flag.list("Take a Linux capability away", isolation),
  cgroupns: flag.text("Cgroup namespace: host or private", isolation),
  "disable-content-trust": flag.toggle("Accepted and without effect", { ...isolation, hidden: true, initial: true }),
  "group-add": flag.list("Add a group to the user", isolation),
  ipc: flag.text("IPC namespace: private, shareable, none, host or container:NAME", isolation),
  isolation: flag.text("Isolation technology (Windows only)", { ...isolation, hidden: true }),
  pid: flag.text("PID namespace: host or container:NAME", isolation),
  privileged: flag.toggle("Give it nearly all rights of this machine", isolation),
  "security-opt": flag.list("Security option, such as no-new-privileges or seccomp=FILE", isolation),
  sysctl: flag.list("Kernel parameter: NAME=VALUE", { ...isolation, typeName: "map" }),
  userns: flag.text("User namespace: host (none), or auto[:size=N] (ids of its own)", isolation),
  uts: flag.text("UTS namespace: host", isolation),
  "use-api-socket": flag.toggle("Give it the engine's socket and your logins", isolation),

  "health-cmd": flag.text("Command that checks its health", health),
  "health-interval": flag.duration("Time between two checks", health),
  "health-retries": flag.integer("Failures in a row that make it unhealthy", health),
  "health-start-interval": flag.duration("Time between two checks while it starts", health),
  "health-start-period": flag.duration("Time to start, in which failures do not count", health),
  "health-timeout": flag.duration("Greatest time for a check", health),
  "no-healthcheck": flag.toggle("Ignore the image's HEALTHCHECK", health),
} as const;

function checkStream(item: string): string {
  const upper = item.toUpperCase();
  if (!streams.has(upper)) throw new Error("valid streams are STDIN, STDOUT and STDERR");
  return upper;
}

function checkAddress(item: string): string {
  if (isIP(item.trim()) === 0) throw new Error(`IP address is not correctly formatted: ${item}`);
  return item.trim();
}

function checkHost(item: string): string {
  const cut = /^([^=:]+)[=:](.+)$/.exec(item);
  const [, name = "", given = ""] = cut ?? [];
  if (name === "") throw new Error(`bad format for add-host: ${JSON.stringify(item)}`);
  const address = given.replace(/^\[(.*)\]$/, "$1");
  if (address !== "host-gateway" && isIP(address) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(given)}`);
  return `${name}:${address}`;
}

function checkMount(item: string): string {
  readMount(item);
  return item;
}
